// PORT TAG COUNT ACK: sends numbered events by fluent-logger-golang, the library that Docker's fluentd driver uses.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	tag := os.Args[2]
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	network := "tcp"
	if os.Getenv("SENDER_CA") != "" {
		network = "tls"
	}
	logger, err := fluent.New(fluent.Config{
		FluentNetwork:      network,
		FluentHost:         "127.0.0.1",
		FluentPort:         port,
		SubSecondPrecision: true,
		RequestAck:         os.Args[4] == "ack",
	})
	if err != nil {
		log.Fatal(err)
	}
	for n := 0; n < count; n++ {
		if err := logger.Post(tag, map[string]any{"n": n, "message": fmt.Sprintf("event %d", n)}); err != nil {
			log.Fatalf("Cannot send event %d: %v", n, err)
		}
	}
	if err := logger.Close(); err != nil {
		log.Fatal(err)
	}
}
