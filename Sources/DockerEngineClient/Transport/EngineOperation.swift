import HTTP1

/// A request together with what its answer means, to be waited for or not.
struct EngineOperation<Value> {
  var request: HTTPRequest
  var bodyLimit = JSONFields.bodyLimit
  /// Statuses beside 200 to 299 that are no refusal.
  var accepting: [Int] = []
  let decode: (HTTPResponseHead, [UInt8]) throws(DockerEngineError) -> Value
}
