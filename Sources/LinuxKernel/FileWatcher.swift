import CLinux

/// Tells when files in a directory change (inotify(7)).
///
/// The kernel gives a user few of them, and of watches: 128 unless the host says otherwise. Whoever wants one does without
/// when there is none.
package struct FileWatcher: Sendable {
  private let shared: SharedDescriptor

  package init() throws(Errno) {
    shared = SharedDescriptor(
      FileDescriptor(
        owning: try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) }))
  }

  /// Readable when there is something for `takeEvents`.
  package var descriptor: Int32 { shared.rawValue }

  /// Watches a directory for writes and new files; returns the number that its events carry.
  package func watch(_ directory: String) throws(Errno) -> Int32 {
    let number = descriptor
    return try directory.withPath { (path) throws(Errno) -> Int32 in
      try retrying("inotify_add_watch") {
        inotify_add_watch(number, path, UInt32(IN_MODIFY) | UInt32(IN_CREATE) | UInt32(IN_MOVED_TO))
      }
    }
  }

  /// The same for one that is open, wherever it is by now.
  package func watch(open directory: Int32) throws(Errno) -> Int32 { try watch("/proc/self/fd/\(directory)") }

  package func unwatch(_ watch: Int32) { _ = inotify_rm_watch(descriptor, watch) }

  /// The watches that had events since the last call, each once.
  package func takeEvents() -> Set<Int32> {
    var found: Set<Int32> = []
    while let bytes = (try? shared.descriptor.read(upTo: 65536)) ?? nil, !bytes.isEmpty {
      var offset = 0
      // struct inotify_event: s32 watch, u32 mask, u32 cookie, u32 length, then the name
      while offset + 16 <= bytes.count {
        func word(_ at: Int) -> UInt32 {
          (0..<4).reduce(0) { $0 | UInt32(bytes[offset + at + $1]) << UInt32($1 * 8) }
        }
        found.insert(Int32(bitPattern: word(0)))
        offset += 16 + Int(word(12))
      }
    }
    return found
  }
}
