"""An agent in Python, with nothing but its standard library: one run, from its start to its end.

    HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret python3 examples/agents/agent.py chat-1 [trigger]
"""
import json, os, sys, time, urllib.error, urllib.request, uuid

name, trigger = (sys.argv[1:] + ["chat-1", f"t-{uuid.uuid4()}"][len(sys.argv[1:]) :])[:2]
session = f"{os.environ['HELDLINE_URL']}/v1/sessions/{name}"


def ask(method, path, body, tries=8, **headers):
    """Sends the same again until its outcome is known: the run's id, the producer and the seq make that harmless."""
    headers = {"authorization": f"Bearer {os.environ['HELDLINE_KEY']}", "content-type": "application/json", **headers}
    for attempt in range(tries):
        try:
            request = urllib.request.Request(session + path, json.dumps(body).encode(), headers, method=method)
            with urllib.request.urlopen(request, timeout=20) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if not problem["retryable"] or attempt == tries - 1:
                raise SystemExit(problem["detail"])
        except OSError:
            if attempt == tries - 1:
                raise
        time.sleep(0.1 * 2**attempt)


ask("PUT", "", {})
started = ask("POST", "/runs", {"agent": "python", "trigger": trigger, "producer": str(uuid.uuid4())})
if not started["created"]:
    sys.exit(print("somebody else has it:", started))
run, held = f"/runs/{started['run']}", {"Run-Epoch": str(started["epoch"])}
message, seq = f"{started['run']}.m1", 0


def append(type, **data):
    global seq
    producer = {"Producer-Id": started["run"], "Producer-Epoch": "1", "Producer-Seq": str(seq)}
    ask("POST", run + "/events", [{"type": type, "data": {"message": message, **data}}], **held, **producer)
    seq += 1


append("message.started", role="assistant")
for word in ["Written ", "with ", "Python. ", "🐍"]:
    append("message.delta", text=word)
print(json.dumps(ask("POST", run + "/finish", {"output": {"with": "Python"}}, **held)))
