import DockerEngineClient
import Isolators
import OperatorPolicy
import TaskModel

extension HostConfig {
  /// What a policy makes of a request that it has given leave to: paths are those that were judged, and what was not asked
  /// for is at most its ceiling.
  mutating func govern(_ leave: PolicyLeave) {
    mounts = mounts.map { mount in
      var mount = mount
      if mount.kind == .bind { mount.source = leave.resolved(mount.source) }
      return mount
    }
    devices = devices.map { device in
      var device = device
      device.hostPath = leave.resolved(device.hostPath)
      return device
    }
    if let most = leave.ceilings[.shm], shmSize ?? 0 == 0 {
      shmSize = Int64(clamping: NamespacesIPC.sharedMemoryBytes).atMost(most)
    }
  }
}
