import StrictJSON

@testable import Images

/// The manifest of an ACI, and what an image is called on a command line: what can be read is the same when it has gone over the
/// wire of a worker, and names no file outside.
func fuzzAppc(_ bytes: [UInt8]) {
  if let query = try? AppcQuery(String(decoding: bytes, as: UTF8.self)) {
    for name in (try? query.fileNames(for: .host)) ?? [] {
      let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      promise(parts.allSatisfy { !$0.isEmpty && !$0.elementsEqual("..".utf8) }, "a file somewhere else")
    }
  }
  guard let json = try? JSON(parsing: bytes), let manifest = try? AppcManifest(document: json, budgets: Budgets())
  else {
    return
  }
  var wire = WireWriter()
  manifest.write(to: &wire)
  var reader = WireReader(wire.bytes)
  promise((try? AppcManifest(from: &reader)) == manifest, "another manifest behind the wire")
  promise(manifest.dependencies.count <= Budgets().layers, "too many dependencies")
  for path in manifest.pathWhitelist {
    let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    promise(path.isEmpty || parts.allSatisfy { !$0.isEmpty && !$0.elementsEqual("..".utf8) }, "a path somewhere else")
    promise(!path.contains(0), "a path with a NUL")
  }
}
