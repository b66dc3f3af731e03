/// What the default profile refuses and engines' own let through, of one release or another. It goes on top of theirs: of two
/// filters the kernel takes the stricter answer.
///
/// Small on purpose: each process of a Docker task has it beside the engine's, which is the one to be configured there.
enum AdditionalProfile {
  static let text = #"""
    {
      "defaultAction": "SCMP_ACT_ALLOW",
      "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
      ],
      "syscalls": [
        {
          "names": ["io_uring_setup", "io_uring_enter", "io_uring_register", "socketcall"],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "AF_ALG",
          "names": ["socket"],
          "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "AF_VSOCK",
          "names": ["socket"],
          "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "AF_NETLINK, NETLINK_CONNECTOR",
          "names": ["socket"],
          "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 11, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "F_SETLEASE",
          "names": ["fcntl", "fcntl64"],
          "args": [{"index": 1, "value": 1024, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "F_SETDELEG",
          "names": ["fcntl", "fcntl64"],
          "args": [{"index": 1, "value": 1040, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "FS_IOC_*_ENCRYPTION_*",
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 2148296211, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3226494487, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3225445912, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 3225445913, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "comment": "BTRFS_IOC_*: subvolumes",
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215169, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215182, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215191, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1342215192, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        },
        {
          "names": ["ioctl"],
          "args": [{"index": 1, "value": 1074304026, "op": "SCMP_CMP_EQ"}],
          "action": "SCMP_ACT_ERRNO", "errnoRet": 1
        }
      ]
    }

    """#
}
