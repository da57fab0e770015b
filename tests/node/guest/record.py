"""record.py RECORD CA TOKEN: what the node does to its pods, until SIGTERM.

Pods, nodes and events come from watches, so nothing is missed (Spark deletes dead executors at once); memory comes from the
cgroups every two seconds, as a container's group is gone when the container is. Leaves in RECORD:

watch.log     each change of a pod, the node's conditions and each new kind of event, with the second it was seen
node.csv      the memory of the node over time, in bytes
summary.json  node, kubepods, pods (by name), containers (by pod/id) and events, as they were last seen
"""

import csv
import glob
import http.client
import json
import os
import re
import signal
import ssl
import sys
import threading
import time

RECORD, CA, TOKEN = sys.argv[1:]
PLAN = "spark-swap.io/plan"
INTERVAL_S = 2
# Where the node keeps its own groups, kubepods and system.
NODE = os.environ["NODE_CGROUP"]
GROUPS = (f"{NODE}/kubepods/*/pod*/*/memory.max", f"{NODE}/kubepods/pod*/*/memory.max")
QUIET = ("Scheduled", "Pulled", "Created", "Started")

start = time.monotonic()
stop = threading.Event()
lock = threading.RLock()  # of all that the watches know
log = open(f"{RECORD}/watch.log", "w", buffering=1)
pods, containers, conditions, events = {}, {}, [], {}


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    context = ssl.create_default_context(cafile=CA)
    for path, seen in (
        ("/api/v1/namespaces/default/pods", pod_changed),
        ("/api/v1/nodes", node_changed),
        ("/api/v1/namespaces/default/events", event_changed),
    ):
        threading.Thread(target=watch, args=(context, path, seen), daemon=True).start()
    lowest = 1 << 62
    with open(f"{RECORD}/node.csv", "w", newline="", buffering=1) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow("seconds available swap_used kubepods kubepods_swap system executors executors_swap".split())
        while not stop.wait(INTERVAL_S):
            row = sample()
            lowest = min(lowest, row[1])
            rows.writerow(row)
        rows.writerow(sample())
    with lock:
        text = json.dumps(summary(lowest), indent=1)
    # Whole or not at all: a record with it is complete.
    with open(f"{RECORD}/summary.json.new", "w") as file:
        file.write(text)
    os.rename(f"{RECORD}/summary.json.new", f"{RECORD}/summary.json")


def watch(context, path, seen):
    while not stop.is_set():
        try:
            connection = http.client.HTTPSConnection("10.96.0.1", context=context)
            connection.request("GET", f"{path}?watch=1", headers={"Authorization": f"Bearer {TOKEN}"})
            for line in connection.getresponse():
                change = json.loads(line)
                if change["type"] == "ERROR":  # as when the watch is too old: begin anew
                    say("watch", path, change["object"].get("message"))
                    break
                with lock:
                    seen(change)
        except (OSError, http.client.HTTPException, ValueError) as error:
            say("watch", path, repr(error))
            time.sleep(1)


def pod_changed(change):
    pod = change["object"]
    meta, status = pod["metadata"], pod.get("status", {})
    states = [status.get("phase"), status.get("reason")]
    for container in status.get("containerStatuses", []):
        for kind in ("state", "lastState"):
            for what, detail in container.get(kind, {}).items():
                states.append(f"{kind}:{what}:{detail.get('reason', '')}:{detail.get('exitCode', '')}".rstrip(":"))
    state = "Deleted" if change["type"] == "DELETED" else " ".join(filter(None, states))
    known = pods.setdefault(meta["name"], {"states": []})
    plan = meta.get("annotations", {}).get(PLAN)
    known.update(
        uid=meta["uid"],
        qos=status.get("qosClass"),
        resources=pod["spec"]["containers"][0].get("resources", {}),
        sparkRole=meta.get("labels", {}).get("spark-role"),
        plan=plan and json.loads(plan),
    )
    if known["states"][-1:] != [state]:
        known["states"].append(state)
        say("pod", meta["name"], state)


def node_changed(change):
    if change["object"]["metadata"]["name"] != "node-1":
        return
    found = change["object"]["status"]["conditions"]
    now = " ".join(f"{c['type']}={c['status']}" for c in found if c["type"] in ("Ready", "MemoryPressure"))
    if not conditions or conditions[-1][1] != now:
        conditions.append([seconds(), now])
        say("node", now)


def event_changed(change):
    event = change["object"]
    if event.get("reason") in QUIET:
        return
    key = f"{event.get('reason')}: {event.get('message', '')[:160]}"
    if key not in events:
        say("event", event["involvedObject"].get("name"), key)
    events[key] = events.get(key, 0) + 1


def sample():
    """One row of node.csv; on the way, all containers as they are now."""
    with lock:
        by_uid = {pod["uid"]: name for name, pod in pods.items()}
        executors_known = {name for name, pod in pods.items() if pod["sparkRole"] == "executor"}
    executors = executors_swap = 0
    for path in (path for pattern in GROUPS for path in glob.glob(pattern)):
        group = os.path.dirname(path)
        values = {name: read(f"{group}/memory.{name}") for name in
                  ("max", "peak", "current", "swap.max", "swap.peak", "swap.current")}
        # The sandbox, to which the kubelet grants all there is; or the group is gone meanwhile.
        if values["swap.max"] in ("max", ""):
            continue
        values["events"] = fields(f"{group}/memory.events")
        values["pgmajfault"] = fields(f"{group}/memory.stat").get("pgmajfault")
        first = read(f"{group}/cgroup.procs").split("\n")[0]
        values["oom_score_adj"] = number(read(f"/proc/{first}/oom_score_adj")) if first else None
        name = by_uid.get(re.search(r"pod([0-9a-f-]{36})", group).group(1), "?")
        containers[f"{name}/{os.path.basename(group)[:12]}"] = values
        if name in executors_known:
            executors += number(values["current"]) or 0
            executors_swap += number(values["swap.current"]) or 0
    memory = meminfo()
    kubepods, system = f"{NODE}/kubepods", f"{NODE}/system"
    return (
        seconds(),
        memory["MemAvailable"],
        memory["SwapTotal"] - memory["SwapFree"],
        number(read(f"{kubepods}/memory.current")) or 0,
        number(read(f"{kubepods}/memory.swap.current")) or 0,
        number(read(f"{system}/memory.current")) or 0,
        executors,
        executors_swap,
    )


def summary(lowest):
    memory, vm, kubepods = meminfo(), fields("/proc/vmstat"), f"{NODE}/kubepods/memory"
    return {
        "node": {
            "MemTotal": memory["MemTotal"],
            "SwapTotal": memory["SwapTotal"],
            "lowestMemAvailable": lowest,
            "ready": conditions,
            **{name: vm.get(name) for name in ("oom_kill", "pswpin", "pswpout", "pgmajfault")},
        },
        "kubepods": {
            "events": fields(f"{kubepods}.events"),
            **{name: read(f"{kubepods}.{name}") for name in ("max", "peak", "swap.peak")},
        },
        "system": {"peak": read(f"{NODE}/system/memory.peak")},
        "pods": pods,
        "containers": containers,
        "events": events,
    }


def seconds():
    return round(time.monotonic() - start, 1)


def say(*what):
    with lock:
        print(f"{seconds():7.1f}", *what, file=log)


def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def number(text):
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else None


def fields(path):
    return {key: int(value) for key, value in (line.split() for line in read(path).splitlines())}


def meminfo():
    lines = (line.split() for line in read("/proc/meminfo").splitlines())
    return {words[0].rstrip(":"): int(words[1]) << 10 for words in lines}


main()
