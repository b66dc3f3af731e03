import HTTP1

/// However a response is split, the same comes out; after its end nothing does, and a violation stays one.
func fuzzHTTP(_ bytes: [UInt8]) {
  var dice = Dice(bytes)
  let traits = dice.byte()
  let seed = dice.byte()
  let parser = HTTPResponseParser(method: traits & 1 == 0 ? "GET" : "HEAD", upgrade: traits & 2 != 0)
  let whole = read([dice.rest], with: parser)
  promise(read(pieces(dice.rest, seed: seed), with: parser) == whole, "another meaning in other pieces")
}

private struct Reading: Equatable {
  /// All but the body, whose bytes are together.
  var events: [HTTPResponseParser.Event] = []
  var body: [UInt8] = []
  var isWrong = false
  var persists = false
}

private func read(_ pieces: [[UInt8]], with fresh: HTTPResponseParser) -> Reading {
  var parser = fresh
  var reading = Reading()
  var hasEnded = false
  func drain() {
    do throws(HTTPViolation) {
      while let event = try parser.next() {
        promise(!hasEnded, "\(event) after the end")
        switch event {
        case .body(let piece):
          promise(!piece.isEmpty, "an empty piece of the body")
          reading.body += piece
        case .end:
          hasEnded = true
          reading.persists = parser.connectionPersists
        default: reading.events.append(event)
        }
      }
    } catch {
      reading.isWrong = true
      do throws(HTTPViolation) {
        promise(try parser.next() != nil, "goes on after a violation")
      } catch {}
    }
  }
  var fed = 0
  for piece in pieces where !reading.isWrong {
    parser.feed(piece)
    fed += piece.count
    drain()
  }
  if !reading.isWrong {
    parser.finish()
    drain()
  }
  promise(reading.body.count <= fed, "more body than bytes")
  if hasEnded { reading.events.append(.end) }
  return reading
}
