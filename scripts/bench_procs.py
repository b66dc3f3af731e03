"""`scripts/bench procs`: many short processes beside a shell that does the same, and what an idle task costs."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import time

CHAIN = 200
PARALLEL = 500
BOUND = 3.0
IDLE_SECONDS = 5
# The command of a process is run by bash, so the loop of the same work starts bash as well.
LOOPS = {
    "chain": [
        ("shell, bash -c true", f"for i in $(seq {CHAIN}); do /bin/bash -c true; done"),
        ("shell, /bin/true", f"for i in $(seq {CHAIN}); do /bin/true; done")],
    "parallel": [
        ("shell, bash -c true", f"for i in $(seq {PARALLEL}); do /bin/bash -c true & done; wait"),
        ("shell, /bin/true", f"for i in $(seq {PARALLEL}); do /bin/true & done; wait")],
}


def document(path, count, ordered):
    names = [f"p{index}" for index in range(count)]
    task = {"name": "bench", "processes": [{"name": name, "cmdline": "true", "min_duration": 0} for name in names]}
    if ordered:
        task["constraints"] = [{"order": names}]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(task, file)


def timed(words):
    began = time.perf_counter()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return took


def measure(kind, binary, directory, rounds):
    """Every contender once a round, in turns; their times."""
    path = f"{directory}/{kind}.json"
    document(path, CHAIN if kind == "chain" else PARALLEL, kind == "chain")
    ours = [binary, "--task", path, "--role", "www-data", f"--work-dir={directory}/state", f"--run-dir={directory}/run"]
    contenders = [("aurora-executor", ours)] + [(name, ["/bin/bash", "-c", line]) for name, line in LOOPS[kind]]
    times = {name: [] for name, _ in contenders}
    for number in range(rounds + 1):
        for name, words in contenders:
            took = timed(words)
            # The first round only warms the caches.
            if number:
                times[name].append(took)
    return times


def show(title, times):
    ours = statistics.median(times["aurora-executor"])
    print(f"{title:24}{'median':>12}{'ours is':>12}")
    for index, (name, taken) in enumerate(times.items()):
        median = statistics.median(taken)
        line = f"{name:24}{median * 1000:9.1f} ms"
        if index:
            line += f"{ours / median:6.2f} of it"
        if index == 1:
            line += f"  at most {BOUND:g}: " + ("holds" if ours <= BOUND * median else "DOES NOT HOLD")
        print(line)
    print()


def wake_ups(pid):
    """How often the threads of a process have left the CPU, of their own will or not."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii", errors="replace") as file:
            count += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return count


def idle(binary, directory, disk):
    """Wake-ups of the executor and of init while a daemon sleeps; `disk` is its limit, 0 for none."""
    path = f"{directory}/idle.json"
    name = f"bench-idle-{disk}"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"name": "bench", "processes": [
            {"name": "main", "cmdline": "exec sleep 1000"}, {"name": "side", "cmdline": "exec sleep 1000", "daemon": True}],
            "resources": {"cpu": 1, "ram": 64 << 20, "disk": disk}}, file)
    process = subprocess.Popen(
        [binary, "--task", path, "--role", "www-data", "--task-id", name, f"--work-dir={directory}/state",
         f"--run-dir={directory}/run"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        journal = f"{directory}/state/tasks/{name}/events.jsonl"
        running = {}
        deadline = time.monotonic() + 10
        while len(running) < 2:
            if time.monotonic() > deadline:
                raise RuntimeError("the idle task does not run")
            time.sleep(0.05)
            if os.path.exists(journal):
                with open(journal, encoding="utf-8") as file:
                    records = [json.loads(line) for line in file if line.endswith("\n")]
                running = {record["process"] for record in records if record["type"] == "running"}
                init = next((record["pid"] for record in records if record["type"] == "launched"), None)
        time.sleep(1)
        before = {"executor": wake_ups(process.pid), "init": wake_ups(init)}
        time.sleep(IDLE_SECONDS)
        after = {"executor": wake_ups(process.pid), "init": wake_ups(init)}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    print(f"wake-ups in {IDLE_SECONDS} s of an idle daemon {'with' if disk else 'without'} a limit of disk: " + ", ".join(
        f"{name} {after[name] - before[name]}" for name in before))


def main(binary, directory, rounds):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    try:
        load = os.getloadavg()[0]
        print(f"`true` on the host's file system, {rounds} rounds, load average {load:.1f} on {os.cpu_count()} CPUs\n")
        show(f"{CHAIN} in a chain", measure("chain", binary, directory, rounds))
        show(f"{PARALLEL} at once", measure("parallel", binary, directory, rounds))
        idle(binary, directory, 0)
        idle(binary, directory, 64 << 20)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
