import CLinux

/// A program that says which devices the processes of a version 2 cgroup may open and make
/// (`BPF_PROG_TYPE_CGROUP_DEVICE`, Linux 4.15).
package enum DeviceProgram {
  /// Has the kernel check the program, and attaches it to a cgroup, with which it goes. What a cgroup above refuses stays refused.
  ///
  /// - Parameters:
  ///   - instructions: `struct bpf_insn`, 8 bytes each.
  ///   - cgroup: the open directory of the cgroup.
  /// - Throws: `EINVAL` or `EACCES` for a program that the kernel does not take, `EPERM` without CAP_SYS_ADMIN.
  package static func attach(_ instructions: [UInt8], to cgroup: Int32) throws(Errno) {
    guard instructions.count % 8 == 0 else { throw Errno("bpf", code: EINVAL) }
    try check("bpf(BPF_PROG_ATTACH)") {
      instructions.withUnsafeBytes { ax_attach_device_program(cgroup, $0.baseAddress, UInt32($0.count / 8)) }
    }
  }
}
