import HTTP1

/// What a container uses at one moment. Counters run from its start; a container that does not run has zeros.
public struct ContainerStats: Sendable, Equatable {
  /// Nanoseconds of CPU time.
  public let cpuNanoseconds: UInt64
  /// Of these, in the kernel.
  public let cpuKernelNanoseconds: UInt64
  /// Periods in which it used up its quota.
  public let throttledPeriods: UInt64
  /// Nanoseconds for which it had to wait because of its quota.
  public let throttledNanoseconds: UInt64
  /// Bytes of memory, page cache included.
  public let memoryUsage: UInt64
  /// The most that it ever was; `nil` on cgroup v2.
  public let memoryPeak: UInt64?
  /// The limit; the host's memory when there is none.
  public let memoryLimit: UInt64
  /// As in the kernel's `memory.stat`.
  public let memoryDetails: [String: UInt64]
  /// Processes and threads.
  public let pids: UInt64
  /// Bytes read from block devices.
  public let blockReadBytes: UInt64
  /// Bytes written to block devices.
  public let blockWriteBytes: UInt64
  /// Bytes received, of all interfaces; none on the host's network.
  public let networkReceivedBytes: UInt64
  /// Bytes sent, of all interfaces; none on the host's network.
  public let networkSentBytes: UInt64

  init(_ fields: JSONFields) throws(DockerEngineError) {
    let cpu = try fields.object("cpu_stats")
    let usage = try cpu?.object("cpu_usage")
    cpuNanoseconds = try usage?.unsigned("total_usage") ?? 0
    cpuKernelNanoseconds = try usage?.unsigned("usage_in_kernelmode") ?? 0
    let throttling = try cpu?.object("throttling_data")
    throttledPeriods = try throttling?.unsigned("throttled_periods") ?? 0
    throttledNanoseconds = try throttling?.unsigned("throttled_time") ?? 0

    let memory = try fields.object("memory_stats")
    memoryUsage = try memory?.unsigned("usage") ?? 0
    memoryPeak = try memory?.unsigned("max_usage")
    memoryLimit = try memory?.unsigned("limit") ?? 0
    var details: [String: UInt64] = [:]
    if let stats = try memory?.object("stats") {
      for (name, _) in try memory?.members("stats") ?? [] { details[name] = try stats.unsigned(name) }
    }
    memoryDetails = details
    pids = try fields.object("pids_stats")?.unsigned("current") ?? 0

    var (read, written) = (UInt64(0), UInt64(0))
    for entry in try fields.object("blkio_stats")?.objects("io_service_bytes_recursive") ?? [] {
      let value = try entry.unsigned("value") ?? 0
      switch ASCII.lowercased((try entry.string("op") ?? "").utf8) {
      case Array("read".utf8): read &+= value
      case Array("write".utf8): written &+= value
      default: break
      }
    }
    (blockReadBytes, blockWriteBytes) = (read, written)

    var (received, sent) = (UInt64(0), UInt64(0))
    if let networks = try fields.object("networks") {
      for (name, _) in try fields.members("networks") {
        let interface = try networks.object(name)
        received &+= try interface?.unsigned("rx_bytes") ?? 0
        sent &+= try interface?.unsigned("tx_bytes") ?? 0
      }
    }
    (networkReceivedBytes, networkSentBytes) = (received, sent)
  }
}
