/// The names of the files of a stream, `stdout` or `stderr`:
///
///     stdout            being written
///     stdout.1 …        rotated, the newest is 1; all are renamed with each rotation, so there are `renamed` at most
///     stdout.old.1 …    rotated before those, the newest has the highest number; each is renamed once
///
/// Each has its index beside it. A file's place in the order of their age is one number: 0 for the one that is written, and
/// the older a file, the higher.
package enum LogFileNames {
  /// With every file that is kept renamed, a task could have a rotation cost what it likes.
  package static let renamed = 10
  /// Places from here on are of those that are not renamed any more.
  package static let old = 1 << 40
  private static let last = 1 << 41

  /// The place of the file `stdout.old.<number>`.
  package static func place(old number: Int) -> Int { last - number }
  package static func oldNumber(at place: Int) -> Int { last - place }

  package static func name(_ stream: String, at place: Int) -> String {
    if place == 0 { return stream }
    return place < old ? "\(stream).\(place)" : "\(stream).old.\(oldNumber(at: place))"
  }

  /// The place that a file's name stands for; nil for what is no rotated file of the stream.
  package static func place(of name: some Collection<UInt8>, _ stream: String) -> Int? {
    let prefix = Array((stream + ".").utf8)
    let mark = Array("old.".utf8)
    guard name.starts(with: prefix) else { return nil }
    let rest = Array(name.dropFirst(prefix.count))
    let isOld = rest.starts(with: mark)
    let digits = isOld ? Array(rest.dropFirst(mark.count)) : rest
    guard (1...10).contains(digits.count), digits[0] != UInt8(ascii: "0"),
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    let number = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    return isOld ? place(old: number) : number
  }
}
