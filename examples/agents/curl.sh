#!/bin/bash
# An agent that is nothing but curl: one run, from its start to its end.
#
#   HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret examples/agents/curl.sh chat-1 [trigger]
set -euo pipefail
session=$HELDLINE_URL/v1/sessions/${1:-chat-1}
json=(-sS --fail-with-body -u "$HELDLINE_KEY" -H 'content-type: application/json')

curl "${json[@]}" -X PUT "$session" -d '{}' >/dev/null

# One run a trigger: asked again, it says `"created":false`, and there is nothing to do.
started=$(curl "${json[@]}" "$session/runs" -d '{"agent": "curl", "trigger": "'"${2:-t-$RANDOM}"'"}')
[[ $started == *'"created":true'* ]] || { echo "somebody else has it: $started"; exit 0; }
run=$(sed 's/.*"run":"\([^"]*\)".*/\1/' <<<"$started")
epoch=$(sed 's/.*"epoch":\([0-9]*\).*/\1/' <<<"$started")
agent=("${json[@]}" -H "Run-Epoch: $epoch")

curl "${agent[@]}" "$session/runs/$run/status" -d '{"step": "thinking it over"}' >/dev/null

# A producer numbers its events: the same request, sent again, changes nothing.
curl "${agent[@]}" --retry 5 --retry-all-errors "$session/runs/$run/events" \
  -H "Producer-Id: $run" -H 'Producer-Epoch: 1' -H 'Producer-Seq: 0' -d '[
    {"type": "message.started", "data": {"message": "'"$run"'.m1", "role": "assistant"}},
    {"type": "message.delta",   "data": {"message": "'"$run"'.m1", "text": "Written with "}},
    {"type": "message.delta",   "data": {"message": "'"$run"'.m1", "text": "curl."}}
  ]' >/dev/null

# Ends the run, and completes the message that it has open.
curl "${agent[@]}" "$session/runs/$run/finish" -d '{"output": {"with": "curl"}}'
