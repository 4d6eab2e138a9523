#!/bin/sh
# tether.sh COMMAND…: runs a command that ends when whoever started it ends, however that happens.
# The starter holds a pipe to our standard input; the kernel closes it with the starter, even after kill -9.
# SIGTERM and SIGHUP are handed on; SIGUSR1 freezes the command and its own children (SIGSTOP), SIGUSR2 lets them go on.
# Exits with the command's status.
# A shell gives /dev/null to what it runs in the background, unless it is given something else.
exec 3<&0
"$@" < /dev/null 3<&- &
command=$!
trap 'kill -TERM $command 2>/dev/null' TERM INT
children() { cat /proc/$command/task/*/children 2>/dev/null; }
trap 'kill -HUP $command 2>/dev/null' HUP
trap 'kill -STOP $command $(children) 2>/dev/null' USR1
trap 'kill -CONT $command $(children) 2>/dev/null' USR2
{ cat > /dev/null; kill -KILL $command 2> /dev/null; } <&3 &
watch=$!
wait $command
status=$?
# A trapped signal ends the first wait early.
while kill -0 $command 2> /dev/null; do
  wait $command
  status=$?
done
kill $watch 2> /dev/null
exit $status
