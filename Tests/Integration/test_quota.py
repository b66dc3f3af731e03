"""The limit of disk by a project quota: in a virtual machine, for its kernel has what this host's may lack."""

import json
import os
import subprocess
import tempfile
import unittest

from support import Machine, busybox_image, document, need, need_command, process
from support.executor import binary

MIB = 1 << 20
REASON = "REASON_CONTAINER_LIMITATION_DISK"
LIMIT = 8 * MIB
HARD = LIMIT + 10 * MIB
# Ours, see Executor/Disk/ProjectIDs.swift.
RANGE = range(0x41550000, 0x41560000)


def write(path, mebibytes):
    return f"dd if=/dev/zero of={path} bs=1M count={mebibytes}"


def tasks(image):
    """The tasks that run side by side, by name."""
    def task(*processes, disk=LIMIT, **rest):
        return document(*processes, disk=disk, **rest)
    moves = (
        "set -e; mkdir a b; echo x >a/f; mv a/f b/g; ln b/g a/h; mv a c; rm b/g; echo y >/tmp/f; mkdir /tmp/d; mv /tmp/f /tmp/d/g; "
        "mv /tmp/d /var/d; ln /var/d/g /tmp/h; echo z >>/etc/group; mv /etc/group /var/group; ln /bin/busybox /tmp/box; "
        "mv c/h /tmp/i; mv /var/d/g back; rm -r /root; mkdir /root; cat /tmp/i back")
    return {
        # What goes on writing is stopped by the kernel.
        "stubborn": task(f"trap '' TERM; {write('big', 100)}; sleep 1000", finalization_wait=2),
        "fast": task(f"mkdir cache; {write('cache/1', 3)}; {write('other', 2)}; {write('big', 100)} || exit 3"),
        "image": task(f"{write('/tmp/big', 100)} || exit 3", image=image),
        # What goes on is ended.
        "together": task(f"{write('here', 5)}; {write('/tmp/there', 6)}; exec sleep 1000", image=image),
        # What fails and cleans up behind it failed for the same reason.
        "tidy": task(f"{write('part', 100)} || {{ rm part; exit 3; }}"),
        "open": task("exec 3>x; rm x; dd if=/dev/zero bs=1M count=100 >&3 || exit 3"),
        "moves": task(moves, image=image),
        "finals": task(process("main", f"{write('big', 100)} || exit 3"),
                       process("last", write("more", 30) + " && echo wrote", final=True), finalization_wait=20),
        # The same where the kernel's warnings are not heard.
        "deaf": task(f"{write('big', 100)} || exit 3"),
        "deaf-goes-on": task(f"{write('big', 9)}; exec sleep 1000"),
        # Who is within the limit fails for his own reasons.
        "own": task(f"{write('big', 5)}; exit 3"),
        "leave": task(f"{write('big', 2)}; chattr -p 0 big || chattr -P . || echo refused; lsattr -p big; {write('big', 100)} || exit 3"),
        "unlimited": task("echo x >f; chattr -p 1096089600 f || echo refused; " + write("big", 30), disk=0),
        "taken": task(f"echo up; while [ ! -e go ]; do sleep 0.05; done; {write('big', 100)} || exit 3"),
        "escaped": task(f"{write('one', 6)}; echo up; while [ ! -e go ]; do sleep 0.05; done; {write('two', 6)}; echo two; exec sleep 1000"),
    }


SCRIPT = """
mkdir /d
mount -t {kind} -o {options} /dev/vda /d || exit 1
ln -s /proc/self/mounts /etc/mtab
places="--work-dir /d/work --run-dir /run/aurora"
files=/d/work/tasks
aurora-executor image import /busybox.tar --work-dir /d/work > /dev/null || exit 1
role() {{ [ $1 = moves ] && echo root || echo www-data; }}
run() {{ $(case $1 in deaf*) echo unshare -n;; esac) aurora-executor run --task /documents/$1.json --task-id $1 --role $(role $1) $places > /tmp/said.$1 2>&1; echo $? > /tmp/code.$1; }}
begin() {{ run $1 & while ! grep -q up $files/$1/logs/main/0/stdout 2> /dev/null; do sleep 0.05; done; }}
quotas() {{ xfs_quota -f -x -c 'report -p -n -N' /d | sed -n "s/^#/quota $1 /p"; }}
project() {{ sed -n 's/.*"type":"disk_quota","project":\\([0-9]*\\).*/\\1/p' $files/$1/events.jsonl; }}

begin taken
begin escaped
quotas early
kill -9 $(ps -o pid,args | sed -n '/[t]ask-id/s/^ *\\([0-9]*\\) .*/\\1/p')
chattr -p 0 $files/escaped/sandbox/one && chattr -P $files/escaped/sandbox || exit 1
touch $files/taken/sandbox/go $files/escaped/sandbox/go
while ! grep -q two $files/escaped/logs/main/0/stdout; do sleep 0.05; done
for task in {tasks}; do run $task & done
for task in taken escaped; do (aurora-executor recover $task $places > /tmp/said.$task 2>&1; echo $? > /tmp/code.$task) & done
wait
for task in {tasks} taken escaped; do
  echo "code $task $(cat /tmp/code.$task)"
  echo "project $task $(project $task)"
  echo "result $task $(tr -d '\\n' < $files/$task/result.json)"
  for stream in $files/$task/logs/*/0/std*[rt]; do sed "s/^/output $task /" $stream; done
done
quotas late
dmesg | grep -i -E "warn|bug|error" | grep -v "insmod" | head -5
"""


class Quota(unittest.TestCase):
    maxDiff = None

    def test_ext4(self):
        self.check("ext4", "prjquota", ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota"], "EDQUOT")

    def test_xfs(self):
        self.check("xfs", "pquota", ["mkfs.xfs", "-q"], "ENOSPC")

    def check(self, kind, options, make, refusal):
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
            for name in ("xfs_quota", "chattr", "lsattr"):
                machine.program(name)
            machine.file("/bin/aurora-executor", source=binary(), mode=0o755)
            machine.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
            machine.file("/etc/group", "root:x:0:\nwww-data:x:33:\n")
            machine.file("/busybox.tar", source=image.docker_archive(os.path.join(directory, "busybox.tar")))
            for name, made in documents.items():
                machine.file(f"/documents/{name}.json", json.dumps(made))
            beside = [name for name in documents if name not in ("taken", "escaped")]
            code, said = machine.run(SCRIPT.format(kind=kind, options=options, tasks=" ".join(beside)))
        self.assertEqual(code, 0, said)
        print(said)
