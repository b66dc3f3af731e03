/// An entry of an image's environment, or an option, that can be no variable.
package struct InvalidAssignment: Error, Sendable, Equatable {
  /// As it was given.
  package let assignment: String
}

extension [EnvironmentVariable] {
  /// What entries `NAME=value` make, as an image and Docker's options have them: each name once, by its last entry. A name
  /// without `=` sets nothing, and takes away what was set before it.
  package init(assignments: [String]) throws(InvalidAssignment) {
    // By name, so that an image with thousands costs no more than that many.
    var variables: [EnvironmentVariable?] = []
    var places: [[UInt8]: Int] = [:]
    for assignment in assignments {
      let parts = assignment.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
      let variable = EnvironmentVariable(parts.first ?? "", parts.count > 1 ? parts[1] : "")
      guard variable.isValid else { throw InvalidAssignment(assignment: assignment) }
      let name = Array<UInt8>(variable.name.utf8)
      if let place = places.removeValue(forKey: name) { variables[place] = nil }
      guard parts.count > 1 else { continue }
      places[name] = variables.count
      variables.append(variable)
    }
    self = variables.compactMap(\.self)
  }
}
