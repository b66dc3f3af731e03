import Glibc
import LinuxKernel

extension AppcQuery {
  /// What simple discovery calls the image's file, as Mesos does: `NAME-VERSION-OS-ARCH.aci`, under each name that the
  /// architecture has; `latest` where no version is asked for.
  package func fileNames(for platform: Platform) throws(ImageError) -> [String] {
    let version = label("version") ?? "latest"
    return try systems(platform).map { (system) throws(ImageError) in
      name + "-" + (try AppcQuery.checked("\(version)-\(system)")) + ".aci"
    }
  }

  /// The system and architecture that are asked for, or this host's: `linux-amd64`, `linux-x86_64`.
  func systems(_ platform: Platform) -> [String] {
    let os = label("os") ?? platform.os
    let architecture = label("arch") ?? platform.architecture
    let twins = [["amd64", "x86_64"], ["aarch64", "arm64"], ["i386", "386"], ["armv7l", "arm"]]
    let meant = Platform(os: os, architecture: architecture).normalized
    let others = twins.first { $0.contains { Platform(os: os, architecture: $0).normalized == meant } } ?? []
    var names = label("arch") == nil ? [] : [architecture]
    for other in others + [architecture] where !names.contains(other) { names.append(other) }
    return names.map { "\(os)-\($0)" }
  }

  /// Values of labels as they stand in the name of a file. They can be anything, a path among it, and that cannot.
  static func checked(_ text: String) throws(ImageError) -> String {
    let isPlain = { (byte: UInt8) in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || "-._~+".utf8.contains(byte)
    }
    guard text.utf8.allSatisfy(isPlain), text.utf8.count <= 200 else {
      throw .invalid(
        "\"\(printable(text.utf8.prefix(300)))\" cannot be in the name of a file",
        hint: "labels that it is found by have letters, digits and - . _ ~ +")
    }
    return text
  }
}

/// A directory of the operator's in which ACI files are, named as simple discovery has them; or Mesos' own store, where
/// images lie unpacked in directories that are named by their ids.
package struct AppcDirectory: Sendable {
  private let path: String

  /// `--appc-store`.
  package init(_ path: String) { self.path = path }

  /// So many files are looked into for one image at most.
  private static let most = 16

  /// What may be the image, likeliest first: the file or Mesos' directory that is named by the image's id, the files that discovery names, and
  /// without a version to look for every version, the newest file first.
  package func candidates(_ query: AppcQuery, platform: Platform) throws(ImageError) -> [String] {
    guard isDirectory(".") else {
      throw ImageError(.notFound, why: "--appc-store \(printable(path.utf8)): there is no such directory")
    }
    var names = query.imageID.map { ["\($0).aci"] } ?? []
    if let id = query.imageID, isDirectory("images/\(id)") {
      try check("images/\(id)")
      return [path + "/images/\(id)"]
    }
    names += try query.fileNames(for: platform)
    if query.label("version") == nil { names += try versions(of: query, platform) }
    // What runs everywhere says so by saying nothing.
    names.append(query.name + (try AppcQuery.checked(query.label("version").map { "-" + $0 } ?? "")) + ".aci")
    var found: [String] = []
    for name in names where !found.contains(path + "/" + name) && found.count < AppcDirectory.most {
      if (try? status(of: path + "/" + name, followLinks: true))?.isRegularFile == true {
        try check(name)
        found.append(path + "/" + name)
      }
    }
    return found
  }

  /// Whether what has the name is the store's: no link leads out of it, and nobody but its owner and root can change a
  /// directory on the way.
  private func check(_ name: String) throws(ImageError) {
    let root = try kernel("open \(path)") { () throws(Errno) in try openFile(path, O_RDONLY | O_DIRECTORY) }
    do throws(Errno) {
      _ = try openBelow(root.rawValue, name, O_PATH, resolve: [.beneath, .noMagicLinks])
    } catch {
      throw ImageError(
        .invalid, why: "\(path)/\(name): \(error)",
        hint: error.code == EXDEV ? "links of an --appc-store stay in it" : "")
    }
    let owner = try kernel("look at \(path)") { () throws(Errno) in try status(of: root.rawValue).uid }
    var place = path
    for part in name.utf8.split(separator: UInt8(ascii: "/")) {
      place += "/" + String(Substring(part))
      let found = try kernel("look at \(place)") { () throws(Errno) in try status(of: place, followLinks: true) }
      guard found.isDirectory, found.permissions & 0o022 != 0 || (found.uid != owner && found.uid != 0) else {
        continue
      }
      throw .invalid(
        "\(place) is of uid \(found.uid), mode \(String(found.permissions, radix: 8)): others could change what is found there",
        hint: "an --appc-store belongs to one user, and nobody else can write to it")
    }
  }

  private func isDirectory(_ name: String) -> Bool {
    (try? status(of: path + "/" + name, followLinks: true))?.isDirectory == true
  }

  private func versions(of query: AppcQuery, _ platform: Platform) throws(ImageError) -> [String] {
    let parts = query.name.utf8.split(separator: UInt8(ascii: "/"))
    let folder = parts.dropLast().map { String(Substring($0)) + "/" }.joined()
    let start = Array((parts.last.map { String(Substring($0)) } ?? "").utf8) + [UInt8(ascii: "-")]
    let ends = try query.systems(platform).map { (system) throws(ImageError) in
      Array(try AppcQuery.checked("-\(system).aci").utf8)
    }
    let listed: [DirectoryEntry]
    do throws(Errno) { listed = try entries(of: path + "/" + folder) } catch  where error.code == ENOENT {
      return []
    } catch {
      throw ImageError(error, doing: "list \(path)/\(folder)")
    }
    let found = listed.map(\.name).filter { name in
      name.starts(with: start) && ends.contains { name.suffix($0.count).elementsEqual($0) }
    }.map { folder + String(decoding: $0, as: UTF8.self) }
    func age(_ name: String) -> Int64 { (try? status(of: path + "/" + name))?.modified ?? 0 }
    return found.map { ($0, age($0)) }.sorted { $0.1 > $1.1 }.map(\.0)
  }
}
