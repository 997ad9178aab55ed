#!/bin/sh
# Reports what it reads, JSON lines such as {"epoch": 1, "loss": 0.5}, to the agent. No hello, so nothing is acknowledged: what
# is said while the agent is away is lost.
[ "$EXPERIMENTS_SOCKET" != none ] || exec cat >/dev/null
exec socat - UNIX-CONNECT:"${EXPERIMENTS_SOCKET:-${EXPERIMENTS_DIR:-/experiments}/agent.sock}"
