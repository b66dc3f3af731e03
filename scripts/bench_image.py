"""`scripts/bench image`: from an image that nobody has to a started /bin/true, beside what others do with the same bytes."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = "large:1"
LAYERS = 4


def quiet(*words, **rest):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **rest)


def layout(archive, directory):
    """The image as an OCI layout of one gzip'd layer; the path of that."""
    quiet("skopeo", "copy", "--insecure-policy", "--dest-compress-format", "gzip", "docker-archive:" + archive, f"oci:{directory}:1")
    blobs = directory + "/blobs/sha256"
    return max((os.path.join(blobs, name) for name in os.listdir(blobs)), key=os.path.getsize)


def parted(archive, directory):
    """The same files as an archive of an image of several layers of about one size."""
    source, parts = directory + "/source", []
    os.makedirs(source)
    quiet("tar", "-xf", archive, "-C", source)
    layer = max((os.path.join(where, name) for where, _, names in os.walk(source) for name in names), key=os.path.getsize)
    files = subprocess.run(["tar", "-tf", layer], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for number in range(LAYERS):
        listing, part = f"{directory}/list{number}", f"{directory}/part{number}.tar"
        with open(listing, "w", encoding="utf-8") as file:
            file.write("\n".join(files[number * len(files) // LAYERS:(number + 1) * len(files) // LAYERS]) + "\n")
        root = f"{directory}/root{number}"
        os.makedirs(root)
        quiet("tar", "-xf", layer, "-C", root, "--no-recursion", "-T", listing)
        quiet("tar", "-cf", part, "-C", root, ".")
        parts.append(part)
    made = f"{directory}/parted.oci"
    quiet("umoci", "init", "--layout", made)
    quiet("umoci", "new", "--image", made + ":1")
    for part in parts:
        quiet("umoci", "raw", "add-layer", "--image", made + ":1", part)
    return made


class Bench:
    def __init__(self, binary, cache, rounds):
        self.binary, self.cache, self.rounds = binary, cache, rounds
        self.times = {}
        self.task = cache + "/true.json"
        with open(self.task, "w", encoding="utf-8") as file:
            json.dump({"name": "true", "processes": [{"name": "main", "cmdline": "/bin/true"}], "container": {
                "mesos": {"image": {"docker": {"name": "large", "tag": "1"}}}}}, file)

    def ours(self, *words):
        return [self.binary, *words, f"--work-dir={self.cache}/state"]

    def run(self, image=None):
        words = self.ours("run", "--task", self.task, "--role", "www-data", "--rm", f"--run-dir={self.cache}/run")
        if image:
            with open(self.task, encoding="utf-8") as file:
                text = file.read().replace('"large"', json.dumps(image))
            path = self.task + ".pulled"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            words[words.index(self.task)] = path
        quiet(*words)

    def measure(self, rows):
        """Each row is a name, what is done, and what takes it away again."""
        for _ in range(self.rounds):
            for name, work, undo in rows:
                os.sync()
                # Nobody has anything of it in memory.
                with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
                    file.write("3")
                began = time.perf_counter()
                work()
                self.times.setdefault(name, []).append(time.perf_counter() - began)
                undo()

    def table(self, title, rows, references):
        print(f"\n{title}\n")
        print(f"{'':34}{'median':>10}" + "".join(f"{'of ' + name:>18}" for name in references))
        for name, *_ in rows:
            line = f"{name:34}{statistics.median(self.times[name]):8.2f} s"
            for reference in references:
                ratio = statistics.median(a / b for a, b in zip(self.times[name], self.times[reference]))
                line += f"{ratio:18.2f}"
            print(line)


def main(binary, cache, rounds):
    sys.path.insert(0, ROOT + "/Tests/Integration")
    os.environ["AURORA_TEST_DIR"] = cache
    from support.engine import Engine
    from support.registry import Registry
    archive = subprocess.run([ROOT + "/scripts/images", "large"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    bench = Bench(binary, cache, rounds)
    one = cache + "/one"
    layer = layout(archive, one)
    several = parted(archive, cache)
    quiet("sh", "-c", f"gzip -1 < {archive} > {cache}/saved.tar.gz")
    scratch = cache + "/scratch"

    def fresh():
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch)
    fresh()

    def forget():
        shutil.rmtree(cache + "/state", ignore_errors=True)

    def imported(source):
        quiet(*bench.ours("image", "import", "-q", source, NAME))
        bench.run()
    engine, registry = Engine(), Registry(users=False)
    try:
        def docker(*words):
            quiet("docker", "--host", "unix://" + engine.socket, *words)

        def docker_run(image):
            docker("run", "--rm", "--network", "host", image, "/bin/true")

        def docker_forget():
            docker("image", "prune", "--all", "--force")
        rows = [
            ("gzip -dc", lambda: quiet("sh", "-c", f"gzip -dc {layer} > /dev/null"), fresh),
            ("tar -xzf", lambda: quiet("tar", "-xzf", layer, "-C", scratch), fresh),
            ("ours, import and run", lambda: imported(one), forget),
            (f"ours, {LAYERS} layers", lambda: imported(several), forget),
            ("umoci unpack", lambda: quiet("umoci", "unpack", "--image", one + ":1", scratch + "/bundle"), fresh),
            ("docker load and run", lambda: (docker("load", "-i", cache + "/saved.tar.gz"), docker_run(NAME)), docker_forget),
        ]
        bench.measure(rows)
        bench.table("From an archive", rows, ["gzip -dc", "tar -xzf"])

        names = {}
        for name, source in (("large", one), ("parted", several)):
            names[name] = f"{registry.address}/{name}"
            quiet("skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", f"oci:{source}:1", f"docker://{names[name]}:1")

        def pulled(name):
            bench.run(names[name])
        rows = [
            ("ours, pull and run", lambda: pulled("large"), forget),
            (f"ours, {LAYERS} layers pulled", lambda: pulled("parted"), forget),
            ("skopeo copy", lambda: quiet(
                "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{names['large']}:1",
                f"oci:{scratch}/copy:1"), fresh),
            ("docker pull and run", lambda: docker_run(names["large"] + ":1"), docker_forget),
        ]
        bench.measure(rows)
        bench.table("From a registry on loopback", rows, ["gzip -dc", "docker pull and run"])
    finally:
        registry.stop()
        engine.stop()
    print(f"\n{rounds} rounds in turn with cold caches, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; "
          f"the layer: {os.path.getsize(layer) >> 20} MiB of gzip")
