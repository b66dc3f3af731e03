import LinuxKernel
import Testing

@Suite struct KernelLogTests {
  private func kill(_ text: String) -> OutOfMemoryKill? { OutOfMemoryKill(record: Array(text.utf8)) }

  @Test func aKillSaysWhoInWhichCgroupAndWhen() {
    let text =
      "6,812,3581983560,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=t-1,mems_allowed=0,"
      + "oom_memcg=/aurora-executor/t-1/task,task_memcg=/aurora-executor/t-1/task,task=tail,pid=3125,uid=33\n"
    #expect(kill(text) == .init(pid: 3125, cgroup: "/aurora-executor/t-1/task", time: 3_581_983_560_000))
    #expect(kill(text + " SUBSYSTEM=x\n") == kill(text))
  }

  @Test func aNameThatLooksLikeTheRestIsAName() {
    let text = "6,1,9,-;oom-kill:constraint=C,oom_memcg=/a,task_memcg=/a/b,task=x,pid=1,uid=0,pid=7,uid=33\n"
    #expect(kill(text) == .init(pid: 7, cgroup: "/a/b", time: 9000))
  }

  @Test(arguments: [
    "", ";", "6,1,9,-;", "6,1,9,-;Out of memory: Killed process 7 (x)", "6,1;oom-kill:task_memcg=/a,pid=7,uid=1",
    "6,1,9,-;oom-kill:", "6,1,9,-;oom-kill:task_memcg=/a,pid=x,uid=1", "6,1,9,-;oom-kill:pid=7,uid=1",
    "6,1,x,-;oom-kill:task_memcg=/a,pid=7,uid=1",
  ])
  func whatIsNoKillIsNone(text: String) { #expect(kill(text) == nil) }
}
