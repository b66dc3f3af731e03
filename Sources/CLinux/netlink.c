// Generic netlink (netlink(7)), as far as the kernel's warnings of quotas take it.
#include "CLinux.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

int ax_open_generic_netlink(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC); }

int ax_join_netlink_group(int socket, unsigned group) {
  return setsockopt(socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
}

ssize_t ax_receive_netlink(int socket, void *buffer, size_t size) {
  struct sockaddr_nl sender;
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {.msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &part, .msg_iovlen = 1};
  ssize_t count = recvmsg(socket, &message, 0);
  // Number 0 is the kernel.
  return count > 0 && sender.nl_pid != 0 ? 0 : count;
}

// A warning begins with its headers, the kind of quota (32 bits), the id (64 bits) and what happened (32 bits), each after
// an attribute's header. A filter reads in the network's order what lies there in the host's.
int ax_receive_warnings_of_project(int socket, unsigned project, int refusals) {
  enum { KIND = NLMSG_HDRLEN + GENL_HDRLEN + NLA_HDRLEN, ID = KIND + 4 + NLA_HDRLEN, WHAT = ID + 8 + NLA_HDRLEN };
  // QUOTA_NL_IHARDWARN, QUOTA_NL_ISOFTLONGWARN and the same of blocks; QUOTA_NL_ISOFTWARN, QUOTA_NL_BSOFTWARN.
  unsigned wanted[4] = {refusals ? 1 : 3, refusals ? 2 : 3, refusals ? 4 : 6, refusals ? 5 : 6};
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, KIND),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(PRJQUOTA), 0, 8),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ID),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(project), 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHAT),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(wanted[0]), 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(wanted[1]), 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(wanted[2]), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(wanted[3]), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}
