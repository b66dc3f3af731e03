"""The limit of disk by a project quota: in a virtual machine, for its kernel has what this host's may lack."""

import json
import os
import re
import subprocess
import tempfile
import unittest

from support import Machine, busybox_image, document, need, need_command, need_root, process
from support.executor import binary

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
LIMIT = 8 * MIB
# As the quota's report has it, in KiB.
SOFT, HARD = "8192", "18432"
# Ours, see DiskUsage/ProjectIDs.swift.
RANGE = range(0x41550000, 0x41560000)


def write(path, mebibytes):
    return f"dd if=/dev/zero of={path} bs=1M count={mebibytes}"


def tasks(image):
    """The tasks, by name. They run side by side."""
    def task(*processes, disk=LIMIT, **rest):
        return document(*processes, disk=disk, **rest)
    many = "mkdir d; i=0; while [ $i -lt 2100 ]; do : >d/$i; i=$((i+1)); done; "
    moves = (
        "set -e; mkdir a b; echo x >a/f; mv a/f b/g; ln b/g a/h; mv a c; rm b/g; echo y >/tmp/f; mkdir /tmp/d; mv /tmp/f /tmp/d/g; "
        "mv /tmp/d /var/d; ln /var/d/g /tmp/h; echo z >>/etc/group; mv /etc/group /var/group; ln /bin/busybox /tmp/box; "
        "mv c/h /tmp/i; mv /var/d/g back; rm -r /root; mkdir /root; cat /tmp/i back")
    return {
        "three": task(f"mkdir cache; {write('cache/1', 4)}; {write('other', 2)}; {write('big', 100)}; exec sleep 1000"),
        "image": task(f"{write('/tmp/big', 100)}; exec sleep 1000", image=image),
        "together": task(f"{write('here', 6)}; {write('/tmp/there', 6)}; exec sleep 1000", image=image),
        # What init writes for it is charged to it as well, and inodes are.
        "logs": task("head -c 30000000 /dev/zero; exec sleep 1000"),
        "files": task("mkdir d; cd d; seq 40000 | xargs touch; echo made; exec sleep 1000"),
        # Who does not end when he is told to is still kept from writing.
        "stubborn": task(f"trap '' TERM; {write('big', 100)}; exit 3", finalization_wait=20),
        "open": task("exec 3>x; rm x; dd if=/dev/zero bs=1M count=100 >&3; exec sleep 1000"),
        # Who fails because he could write no more fails for that reason, also when he cleans up behind him.
        "tidy": task(f"{write('part', 100)} || {{ rm part; exit 3; }}"),
        # The same where the kernel's warnings are not heard.
        "deaf": task("fallocate -l 9437184 big; exit 3"),
        "deaf-goes-on": task(f"{write('big', 9)}; exec sleep 1000"),
        # More files than are measured on the spot: the end of the run waits for the paths.
        "many": task(many + f"{write('big', 100)} || exit 3"),
        "deaf-many": task(many + "fallocate -l 9437184 big; exit 3"),
        # Who is within his limit fails for his own reasons, or not at all.
        "own": task(f"{write('big', 5)}; exit 3"),
        # What XFS sets aside for a file that grows is not the task's.
        "grows": task("i=0; while [ $i -lt 10 ]; do dd if=/dev/zero bs=64k count=8 >>f; stat -c %b f; i=$((i+1)); done; "
                      "sleep 0.5", disk=6 * MIB),
        # The sandbox is a mount of its own: what is moved out of it is copied, and the task's no more.
        "out": task(f"{write('one', 6)}; mv one /d/share/; {write('two', 6)}; sleep 3; exit 0"),
        "moves": task(moves, image=image),
        # Final processes have room, and not all there is.
        "finals": task(process("main", f"{write('big', 100)}; exec sleep 1000"),
                       process("last", f"{write('more', 5)} && echo wrote; {write('much', 100)} || echo refused", final=True),
                       finalization_wait=20),
        "after": task(process("main", "true"), process("last", write("big", 100) + " || echo refused", final=True), finalization_wait=200),
        # Another's success takes nothing of why this one fails.
        "beside": task(process("main", f"{write('part', 100)} || {{ rm part; sleep 2; exit 3; }}"), process("other", "sleep 1")),
        # What XFS refuses as a whole.
        "refused": task("fallocate -l 104857600 big || exit 3"),
        "success": task(process("main", "fallocate -l 104857600 big || exit 3", success_exit_codes=[3])),
        "leave": task(f"{write('big', 2)}; chattr -p 0 big || chattr -P . || echo refused; {write('big', 100)}; exec sleep 1000"),
        "unlimited": task("echo x >f; chattr -p 1096089600 f || echo refused; " + write("big", 30), disk=0),
        # While their executor is gone.
        "taken": task(f"echo up; while [ ! -e go ]; do sleep 0.05; done; {write('big', 100)} || exit 3"),
        "escaped": task(f"{write('one', 6)}; echo up; while [ ! -e go ]; do sleep 0.05; done; {write('two', 6)}; echo two; exec sleep 1000"),
    }


SCRIPT = """
mkdir /d
mount -t {kind} -o {options} /dev/vda /d || exit 1
ln -s /proc/self/mounts /etc/mtab
mkdir -m 1777 /d/share
places="--work-dir /d/work --run-dir /run/aurora"
files=/d/work/tasks
aurora-executor image import /busybox.tar --work-dir /d/work > /dev/null 2>&1 || exit 1
aurora-executor plan --task /documents/three.json --role www-data --work-dir /d/work | sed 's/^/plan three /'
run() {{
  $(case $1 in deaf*) echo unshare -n; esac) aurora-executor run --task /documents/$1.json --task-id $1 \\
    --role $([ $1 = moves ] && echo root || echo www-data) $places > /tmp/said.$1 2>&1
  echo $? > /tmp/code.$1
}}
begin() {{ run $1 & while ! grep -q up $files/$1/logs/main/0/stdout 2> /dev/null; do sleep 0.05; done; }}
quotas() {{ xfs_quota -f -x -c 'report -p -n -N' /d | sed -n "s/^#/$1 /p"; }}

begin taken
begin escaped
quotas early
for init in $(ps -o pid,comm | sed -n 's/^ *\\([0-9]*\\) aurora-init$/\\1/p'); do echo "init $(readlink /proc/$init/exe)"; done
kill -9 $(ps -o pid,args | sed -n '/[t]ask-id/s/^ *\\([0-9]*\\) .*/\\1/p')
chattr -p 0 $files/escaped/sandbox/one && chattr -P $files/escaped/sandbox || exit 1
touch $files/taken/sandbox/go $files/escaped/sandbox/go
while ! grep -q two $files/escaped/logs/main/0/stdout; do sleep 0.05; done
for task in {beside}; do run $task & done
for task in taken escaped; do
  (aurora-executor recover $task $places > /tmp/said.$task 2>&1; echo $? > /tmp/code.$task) &
done
wait
for task in {beside} taken escaped; do
  echo "code $task $(cat /tmp/code.$task)"
  echo "project $task $(sed -n 's/.*"type":"disk_quota","project":\\([0-9]*\\).*/\\1/p' $files/$task/events.jsonl)"
  echo "result $task $(tr -d '\\n' < $files/$task/result.json)"
  [ $task = logs ] || for stream in $files/$task/logs/*/0/std*[rt]; do sed "s/^/output $task /" $stream; done
  sed "s/^/said $task /" /tmp/said.$task
done
quotas late
"""


class Quota(unittest.TestCase):
    maxDiff = None
    # A virtual machine without hardware to help it.
    SECONDS = 400

    def test_ext4(self):
        said = self.boot("ext4", "prjquota", "mkfs.ext4", "-q", "-N", "200000", "-O", "quota,project", "-E", "quotatype=prjquota")
        self.check("ext4", said, "Disk quota exceeded")

    def test_xfs(self):
        self.check("xfs", self.boot("xfs", "pquota", "mkfs.xfs", "-q"), "No space left on device")

    def boot(self, kind, options, *make):
        need_root()
        need_command(make[0])
        need(os.path.exists(binary()), "the release binary")
        image = busybox_image()
        documents = tasks(image.name)
        with tempfile.TemporaryDirectory(prefix="aurora-quota-", dir=os.environ.get("AURORA_TEST_DIR", "/var/tmp")) as directory:
            disk = os.path.join(directory, "disk")
            with open(disk, "wb") as file:
                file.truncate(512 * MIB)
            subprocess.run([*make, disk], check=True)
            machine = Machine().modules("quota_v2", "xfs").disk(disk)
            for name in ("xfs_quota", "chattr"):
                machine.program(name)
            machine.file("/bin/aurora-executor", source=binary(), mode=0o755)
            machine.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
            machine.file("/etc/group", "root:x:0:\nwww-data:x:33:\n")
            machine.file("/busybox.tar", source=image.docker_archive(os.path.join(directory, "busybox.tar")))
            for name, made in documents.items():
                machine.file(f"/documents/{name}.json", json.dumps(made))
            beside = " ".join(name for name in documents if name not in ("taken", "escaped"))
            code, said = machine.run(SCRIPT.format(kind=kind, options=options, beside=beside))
        self.assertEqual(code, 0, said)
        return said

    def check(self, kind, said, refusal):
        def lines(what, name):
            return re.findall(rf"^{what} {name} (.*)$", said, re.MULTILINE)

        def result(name):
            return json.loads(lines("result", name)[0])

        def about(name):
            return "\n".join(line for line in said.splitlines() if f" {name} " in line)

        def ended(name, pattern):
            """By its limit; the pattern is of the paths."""
            made = result(name)
            self.assertEqual((made["state"], made.get("reason")), ("TASK_FAILED", REASON), about(name))
            self.assertRegex(made["message"], r"^disk limit exceeded: 8 MiB limit, (more than 8|8\.\d|9|9\.\d|1\d(\.\d)?) MiB used: " + pattern, about(name))
            # Never much more than the hard limit.
            self.assertLess(float(re.search(r"([\d.]+) MiB used", made["message"])[1]), 18.1)

        size = r"\d+(\.\d)? MiB"
        ended("three", rf"(?=.*sandbox/cache/1 4 MiB)(?=.*sandbox/other 2 MiB)(?=.*sandbox/big {size})([^,]*, ){{2}}[^,]*$")
        ended("image", rf"/tmp/big {size}$")
        ended("together", rf"(?=.*sandbox/here 6 MiB)(?=.*/tmp/there {size})[^,]*, [^,]*$")
        ended("stubborn", "sandbox/big ")
        self.assertTrue(any(refusal in line for line in lines("output", "stubborn")), about("stubborn"))
        self.assertLess(result("stubborn")["usage"]["disk_bytes"], 18.1 * MIB)
        made = result("logs")
        self.assertEqual((made["state"], made.get("reason")), ("TASK_FAILED", REASON), about("logs"))
        self.assertRegex(made["message"], "^disk limit exceeded: 8 MiB limit, .* MiB used: logs/main/0/stdout ", about("logs"))
        self.assertGreater(made["usage"]["disk_bytes"], 8 * MIB)
        made = result("files")
        self.assertEqual((made["state"], made.get("reason")), ("TASK_FAILED", REASON), about("files"))
        self.assertRegex(
            made["message"], r"^disk limit exceeded: 3\d{4} files and directories, a limit of 8 MiB allows 32768$", about("files"))
        ended("open", "deleted files that are in use ")
        ended("deaf", "sandbox/big ")
        ended("deaf-goes-on", "sandbox/big ")
        ended("many", "sandbox/big ")
        ended("deaf-many", "sandbox/big ")
        ended("finals", "sandbox/big ")
        self.assertTrue({"wrote", "refused"} <= set(lines("output", "finals")), about("finals"))
        self.assertIn("refused", lines("output", "after"), about("after"))
        self.assertLess(result("after")["usage"]["disk_bytes"], 18.1 * MIB)
        made = result("beside")
        self.assertEqual((made["state"], made.get("reason")), ("TASK_FAILED", REASON), about("beside"))
        self.assertEqual(result("refused").get("reason"), REASON, about("refused"))
        if kind == "xfs":
            self.assertEqual(result("success")["state"], "TASK_FINISHED", about("success"))

        self.assertEqual(result("out")["state"], "TASK_FINISHED", about("out"))
        made = result("tidy")
        self.assertEqual(made.get("reason"), REASON, about("tidy"))
        self.assertTrue(made["message"].startswith("disk limit exceeded: 8 MiB limit, "), about("tidy"))

        made = result("own")
        self.assertEqual(made["message"], "main run 0: exit status 3", about("own"))
        self.assertEqual(result("grows")["state"], "TASK_FINISHED", about("grows"))
        if kind == "xfs":
            blocks = max(int(line) for line in lines("output", "grows") if line.isdigit())
            self.assertGreater(blocks * 512, 6 * MIB, "XFS has set nothing aside: this test tells nothing")
        self.assertEqual(result("moves")["state"], "TASK_FINISHED", about("moves"))
        self.assertEqual(lines("output", "moves"), ["x", "y"])

        # A project id cannot be changed, whether or not the task has a limit; what somebody else changes is found.
        ended("leave", "sandbox/big ")
        for name in ("leave", "unlimited"):
            self.assertIn("refused", lines("output", name), about(name))
        self.assertEqual(result("unlimited")["state"], "TASK_FINISHED", about("unlimited"))
        ended("taken", "sandbox/big ")
        ended("escaped", "(?=.*sandbox/one 6 MiB)(?=.*sandbox/two 6 MiB)")

        # Not from a copy in memory for each, also on this kernel.
        self.assertEqual(re.findall("^init (.*)$", said, re.MULTILINE), ["/aurora-executor"] * 2)

        # Every task had a project of its own, with the limit while it ran and without one afterwards.
        projects = {name: lines("project", name)[0] for name in re.findall(r"^project (\S+)", said, re.MULTILINE)}
        self.assertEqual(projects.pop("unlimited"), "")
        self.assertEqual(len(set(projects.values())), len(projects), projects)
        for name, project in projects.items():
            self.assertIn(int(project), RANGE, name)
        for name in ("taken", "escaped"):
            self.assertRegex(lines("early", projects[name])[0], rf"^ *\d+ +{SOFT} +{HARD} ", said)
        limits = dict(re.findall(r"^late (\d+) +\d+ +(\d+ +\d+) ", said, re.MULTILINE))
        self.assertGreater(len(limits), 5, said)
        self.assertEqual({tuple(text.split()) for text in limits.values()}, {("0", "0")}, limits)
        self.assertIn("disk       at most 8 MiB, by a project quota", lines("plan", "three"))


if __name__ == "__main__":
    unittest.main()
