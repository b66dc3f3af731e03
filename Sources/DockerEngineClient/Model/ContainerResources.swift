import StrictJSON

/// Limits of a container: what can be given when it is created and, most of it, changed while it runs.
///
/// `nil` leaves a limit to the engine, which mostly means none.
public struct ContainerResources: Sendable, Equatable {
  /// Weight against other containers, 1024 by default, at least 2.
  public var cpuShares: Int64?
  /// Microseconds of a scheduling period, 1000 to 1000000.
  public var cpuPeriod: Int64?
  /// Microseconds of CPU time in each period, at least 1000.
  public var cpuQuota: Int64?
  /// CPUs in units of 10^-9; not together with period and quota.
  public var nanoCPUs: Int64?
  /// Microseconds of a real-time period.
  public var cpuRealtimePeriod: Int64?
  /// Microseconds of real-time CPU in each period.
  public var cpuRealtimeRuntime: Int64?
  /// CPUs it may run on: `0-3,7`; empty for all.
  public var cpusetCPUs = ""
  /// Memory nodes it may use; empty for all.
  public var cpusetMemoryNodes = ""
  /// Bytes of memory, at least 6 MiB.
  public var memory: Int64?
  /// Bytes of memory and swap together; -1 is no limit. Needs `memory`.
  public var memorySwap: Int64?
  /// Bytes that it is pushed back to when the host runs short.
  public var memoryReservation: Int64?
  /// 0 to 100, cgroup v1 only.
  public var memorySwappiness: Int64?
  /// Bytes of kernel memory; engines from API 1.42 on ignore it.
  public var kernelMemory: Int64?
  /// Processes and threads; 0 or -1 is no limit.
  public var pidsLimit: Int64?
  /// Out of memory stops processes instead of killing one; cgroup v1 only.
  public var oomKillDisable: Bool?
  /// Weight of block I/O, 10 to 1000; 0 is the default.
  public var blkioWeight: Int64?
  /// The same per device.
  public var blkioWeightDevices: [DeviceRate] = []
  /// Bytes per second that may be read.
  public var blkioReadBytes: [DeviceRate] = []
  /// Bytes per second that may be written.
  public var blkioWriteBytes: [DeviceRate] = []
  /// Reads per second.
  public var blkioReadOperations: [DeviceRate] = []
  /// Writes per second.
  public var blkioWriteOperations: [DeviceRate] = []

  /// No limit.
  public init() {}

  /// A number for one block device.
  public struct DeviceRate: Sendable, Equatable {
    /// `/dev/sda`
    public var path: String
    /// A weight, bytes or operations per second.
    public var value: UInt64
    /// The number for the device at `path`.
    public init(path: String, value: UInt64) {
      self.path = path
      self.value = value
    }
  }

  var members: [(String, JSON?)] {
    func rates(_ list: [DeviceRate], _ name: String = "Rate") -> JSON? {
      .unlessEmpty(list.map { JSON(object: [("Path", JSON($0.path)), (name, JSON($0.value))]) })
    }
    return [
      ("CpuShares", .number(cpuShares)), ("CpuPeriod", .number(cpuPeriod)), ("CpuQuota", .number(cpuQuota)),
      ("NanoCpus", .number(nanoCPUs)), ("CpuRealtimePeriod", .number(cpuRealtimePeriod)),
      ("CpuRealtimeRuntime", .number(cpuRealtimeRuntime)), ("CpusetCpus", .unlessEmpty(cpusetCPUs)),
      ("CpusetMems", .unlessEmpty(cpusetMemoryNodes)), ("Memory", .number(memory)),
      ("MemorySwap", .number(memorySwap)), ("MemoryReservation", .number(memoryReservation)),
      ("MemorySwappiness", .number(memorySwappiness)), ("KernelMemory", .number(kernelMemory)),
      ("PidsLimit", .number(pidsLimit)), ("OomKillDisable", .bool(oomKillDisable)),
      ("BlkioWeight", .number(blkioWeight)), ("BlkioWeightDevice", rates(blkioWeightDevices, "Weight")),
      ("BlkioDeviceReadBps", rates(blkioReadBytes)), ("BlkioDeviceWriteBps", rates(blkioWriteBytes)),
      ("BlkioDeviceReadIOps", rates(blkioReadOperations)), ("BlkioDeviceWriteIOps", rates(blkioWriteOperations)),
    ]
  }
}
