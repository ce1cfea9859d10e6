#!/bin/bash
# An agent without an SDK: what a framework streams goes into a run as it comes, line by line.
#
#   curl -sN https://my.app/api/chat -d '{"prompt": "…"}' |
#     HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret examples/agents/curl-stream.sh chat-1 ui-message-chunks
#
# The format is ui-message-chunks (AI SDK) or ag-ui, as server-sent events; or text, which is the answer itself.
set -euo pipefail
session=$HELDLINE_URL/v1/sessions/${1:-chat-1}
format=${2:-text}
curl=(curl -sS --fail-with-body -u "$HELDLINE_KEY")
json=(-H 'content-type: application/json')

"${curl[@]}" "${json[@]}" -X PUT "$session" -d '{}' >/dev/null
# Nothing beats while the model thinks, so the lease has to be longer than its longest silence.
started=$("${curl[@]}" "${json[@]}" "$session/runs" -d '{"agent": "curl", "leaseMs": 600000}')
run=$(sed 's/.*"run":"\([^"]*\)".*/\1/' <<<"$started")
epoch=$(sed 's/.*"epoch":\([0-9]*\).*/\1/' <<<"$started")

case $format in
  text) type='text/plain' query='' ;;
  *) type='text/event-stream' query="?format=$format" ;;
esac

# -T - sends what comes on the standard input while it comes; each line of the answer says how much of it stands.
answer=$("${curl[@]}" -N -T - -X POST "$session/runs/$run/events$query" \
  -H "content-type: $type" -H "Run-Epoch: $epoch")
# A refusal in the middle is the last line.
end='{}'
[[ $answer != *'"error":'* ]] || end='{"error": {"message": "the stream was refused"}}'
"${curl[@]}" "${json[@]}" -H "Run-Epoch: $epoch" "$session/runs/$run/finish" -d "$end"
