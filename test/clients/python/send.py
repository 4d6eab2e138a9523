"""PORT TAG COUNT ACK: sends numbered events by the PyPI package fluent-logger, which knows no acks."""

import sys

from fluent import sender

port, tag, count, _ack = sys.argv[1:5]
logger = sender.FluentSender(tag, host="127.0.0.1", port=int(port), nanosecond_precision=True)
for n in range(int(count)):
    if not logger.emit(None, {"n": n, "message": f"event {n}"}):
        sys.exit(f"Cannot send event {n}: {logger.last_error}")
logger.close()
