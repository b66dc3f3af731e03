import LinuxKernel
import Testing

@testable import DockerEngineClient

/// The documents say what the code does.
@Suite struct DocumentTests {
  private func document(_ path: String) throws -> String {
    let here = Array(#filePath.utf8).split(separator: UInt8(ascii: "/")).dropLast(3)
    let root = here.map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
    return String(decoding: try readFile("\(root)/\(path)"), as: UTF8.self)
  }

  @Test func everyOptionIsDocumentedAsItBehaves() throws {
    let text = try document("docs/docker.md")
    let working = try #require(text.firstRange(of: "### Options that work"))
    let refused = try #require(text.firstRange(of: "### Options that are refused"))
    let differing = try #require(text.firstRange(of: "### Where this differs"))
    for name in DockerRunOptions.names {
      let isRefused = DockerRunOptions.refusal(of: name) != nil
      let part =
        isRefused ? text[refused.upperBound..<differing.lowerBound] : text[working.upperBound..<refused.lowerBound]
      #expect(part.contains("`\(name)`"), "\(name)")
    }
  }

  @Test func theVersionsThatAreDocumentedAreTheOnesSpoken() throws {
    for path in ["docs/docker.md", "Sources/DockerEngineClient/README.md"] {
      let text = try document(path)
      #expect(text.contains("API \(APIVersion.oldest) (Docker 19.03) to \(APIVersion.newest) (Docker 28)"), "\(path)")
    }
  }
}
