"""A host of cgroup version 2 alone, as most boot today: every limit holds there, what is measured is measured, nothing stays."""

import json
import os
import re
import tempfile
import unittest

from support import Machine, busybox_image, document, need_root, process
from support.executor import binary

MIB = 1 << 20
ROOT = "/sys/fs/cgroup"
SHOW = "for file in memory.max memory.swap.max cpu.max cpu.weight pids.max; do echo $file $(cat /sys/fs/cgroup/$file); done; "
# Nodes that a task makes by itself; whoever opens them is asked.
NODES = ("for node in c:1:3 c:1:5 c:5:2 c:10:200 c:1:1 b:7:0; do "
         "mknod /dev/$node $(echo $node | tr : ' ') && (: </dev/$node) 2>&1 && echo opened $node; done | grep -v Operation; "
         "dd if=/dev/zero of=/dev/null count=1 2>/dev/null && echo works; tty -s; head -c 1 /dev/urandom >/dev/null && echo random; ")
GROW = "x=0123456789abcdef; while :; do x=$x$x; done"


def tasks(image):
    """The tasks, by name, and who runs them."""
    def of_image(*processes, **rest):
        return document(*processes, image=image, **rest)
    return {
        "limits": ("www-data", of_image(SHOW + "cat /proc/self/cgroup; ls /sys/fs/cgroup | grep -c cgroup.procs", cpu=0.5, pids=50)),
        "write": ("root", of_image("echo max >/sys/fs/cgroup/memory.max; echo 0 >/sys/fs/cgroup/cgroup.procs; "
                                   "mkdir /sys/fs/cgroup/x; echo asked")),
        "memory": ("www-data", of_image(GROW, ram=32 * MIB)),
        "forks": ("www-data", of_image("i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i+1)); done; wait", pids=20)),
        "nodes": ("root", of_image(NODES, container={"linux_info": {"bounding_capabilities": {"capabilities": ["MKNOD"]}}})),
        "host": ("www-data", document("cat /proc/self/cgroup", process("last", "cat /proc/self/cgroup", final=True), ram=48 * MIB)),
        "busy": ("www-data", of_image("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/tmp/f bs=1M count=8", cpu=0.5)),
        "daemon": ("www-data", of_image(process("main", "sleep 1"), process("beat", "sleep 1000", ephemeral=True))),
        "taken": ("www-data", of_image("echo up; while [ ! -e go ]; do sleep 0.05; done; cat /proc/self/cgroup")),
        "killed": ("www-data", of_image("echo up; exec sleep 1000")),
    }


SCRIPT = """
files=/var/w/tasks
places="--work-dir /var/w --run-dir /run/aurora"
mount -t tmpfs work /var
aurora-executor image import /busybox.tar --work-dir /var/w > /dev/null 2>&1 || exit 1
find /sys/fs/cgroup > /before
for path in /documents/*.json; do
  name=$(basename $path .json); role=$(cat /documents/$name.role)
  aurora-executor run --task $path --task-id $name --role $role $places > /tmp/said.$name 2>&1 &
  pid=$!
  up() { while kill -0 $pid && ! grep -q up $files/$name/logs/main/0/stdout 2> /dev/null; do sleep 0.05; done; }
  case $name in
    taken)
      up
      kill -9 $pid
      touch $files/taken/sandbox/go
      aurora-executor recover taken $places > /tmp/said.taken 2>&1; code=$? ;;
    killed)
      up
      for file in memory.max cpu.max cgroup.subtree_control cgroup.procs; do
        echo "whole $(echo $file $(cat /sys/fs/cgroup/aurora-executor/killed/$file))"
      done
      echo "init $(cat /proc/$(cat /sys/fs/cgroup/aurora-executor/killed/init/cgroup.procs)/comm)"
      kill $pid; wait $pid; code=$? ;;
    *) wait $pid; code=$? ;;
  esac
  echo "code $name $code"
  echo "result $name $(tr -d '\\n' < $files/$name/result.json)"
  for log in $files/$name/logs/*/0/std*[rt]; do sed "s/^/output $name /" $log; done
  sed "s/^/said $name /" /tmp/said.$name
done
find /sys/fs/cgroup | grep -v '^/sys/fs/cgroup/[^/]*$' | grep -v '^/sys/fs/cgroup/aurora-executor/[a-z_.]*$' | grep -vxFf /before | sed 's/^/left /'
echo "processes $(ps -o comm | grep -c aurora)"
"""


class Unified(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        need_root()
        with tempfile.TemporaryDirectory(prefix="aurora-unified-", dir=os.environ.get("AURORA_TEST_DIR", "/var/tmp")) as directory:
            image = busybox_image()
            machine = Machine(unified=True)
            machine.file("/bin/aurora-executor", source=binary(), mode=0o755)
            machine.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
            machine.file("/etc/group", "root:x:0:\nwww-data:x:33:\n")
            machine.file("/busybox.tar", source=image.docker_archive(os.path.join(directory, "busybox.tar")))
            for name, (role, made) in tasks(image.name).items():
                machine.file(f"/documents/{name}.json", json.dumps(made))
                machine.file(f"/documents/{name}.role", role)
            code, cls.said = machine.run(SCRIPT, 120)
        assert code == 0, cls.said

    def lines(self, what, name):
        return re.findall(rf"^{what} {name} (.*)$", self.said, re.MULTILINE)

    def about(self, name):
        return "\n".join(line for line in self.said.splitlines() if f" {name} " in line)

    def result(self, name):
        return json.loads(self.lines("result", name)[0])

    def finished(self, name):
        self.assertEqual((self.lines("code", name), self.result(name)["state"]), (["0"], "TASK_FINISHED"), self.about(name))
        return self.lines("output", name)

    def test_a_task_has_its_limits_and_sees_them_where_programs_look(self):
        *limits, cgroup, files = self.finished("limits")
        self.assertEqual(dict(line.split(" ", 1) for line in limits), {
            "memory.max": str(128 * MIB), "memory.swap.max": "0", "cpu.max": "50000 100000", "cpu.weight": "50", "pids.max": "50"})
        self.assertEqual(cgroup, "0::/")
        self.assertEqual(files, "1")
        self.assertEqual(self.finished("host"), ["0::/", "0::/"])

    def test_the_whole_has_room_for_init_and_no_process_of_its_own(self):
        whole = dict(line.partition(" ")[::2] for line in re.findall(r"^whole (.*)$", self.said, re.MULTILINE))
        self.assertGreater(int(whole["memory.max"]), 128 * MIB + 64 * MIB - 1)
        self.assertEqual(whole["cpu.max"], "200000 100000")
        self.assertEqual(set(whole["cgroup.subtree_control"].split()), {"cpu", "memory", "pids"})
        self.assertEqual(whole["cgroup.procs"], "")
        self.assertIn("init aurora-init", self.said)

    def test_nothing_of_a_cgroup_can_be_written_from_inside(self):
        self.assertEqual(self.finished("write")[-1], "asked")
        self.assertEqual(self.about("write").count("Read-only file system"), 3, self.about("write"))

    def test_memory_that_ran_out_is_the_reason(self):
        result = self.result("memory")
        self.assertEqual((result["state"], result.get("reason")), ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY"), self.about("memory"))
        self.assertRegex(result["message"], "32 MiB limit")

    def test_forks_end_at_their_limit_and_are_counted(self):
        self.assertIn("can't fork", self.about("forks"))
        self.assertRegex(self.about("forks"), r"the kernel refused \d+ forks at the limit of 20 processes")

    def test_only_devices_of_a_minimal_dev_can_be_opened(self):
        self.assertEqual(self.finished("nodes"), ["opened c:1:3", "opened c:1:5", "opened c:5:2", "works", "random"])

    def test_what_was_used_is_told(self):
        self.finished("busy")
        usage = self.result("busy")["usage"]
        self.assertGreater(usage["cpu_seconds"], 0.01)

    def test_everything_is_ended_and_nothing_stays(self):
        self.finished("daemon")
        self.assertEqual(self.finished("taken"), ["up", "0::/"])
        self.assertEqual(self.result("killed")["state"], "TASK_KILLED", self.about("killed"))
        self.assertEqual(re.findall(r"^left (.*)$", self.said, re.MULTILINE), [])
        self.assertIn("\nprocesses 0\n", self.said)
