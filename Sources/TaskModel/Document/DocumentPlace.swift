import StrictJSON

/// Where a document says something: a place in the text, and the way to it.
package struct DocumentPlace: Sendable, Equatable {
  /// One step of the way.
  package enum Step: Sendable, Equatable {
    case key(String)
    case index(Int)
  }

  /// Which part of a document the steps start from, whatever shape it has.
  package enum Start: Sendable, Equatable {
    case document
    /// The task's own object.
    case task
    /// The container, with its wrapping key or without.
    case container
  }

  /// Where it stands in the text; `.none` when the document does not say it.
  package let position: JSON.Position
  /// `container.mesos.volumes[0]`.
  package let path: String
  /// Whether the document has what the steps lead to, rather than only something around it.
  package let isWritten: Bool

  /// Of what no document says.
  package static let nowhere = DocumentPlace(position: .none, path: "", isWritten: false)
}

extension TaskDocument {
  /// The place that steps lead to; where the document ends before, the place of the last thing that is there.
  package func place(_ start: DocumentPlace.Start, _ steps: [DocumentPlace.Step] = []) -> DocumentPlace {
    var walk = Walk(value: json, position: json.position)
    switch start {
    case .document: break
    case .task: if shape != .task { walk.take(.key("task")) }
    case .container:
      walk.take(.key("container"))
      if walk.isWritten, let (option, _, isWrapped) = ContainerFields.choice.unwrap(walk.value), isWrapped {
        walk.take(.key(option.key))
      }
    }
    for step in steps { walk.take(step) }
    return DocumentPlace(position: walk.position, path: walk.path, isWritten: walk.isWritten)
  }

  private struct Walk {
    var value: JSON
    var position: JSON.Position
    var path = ""
    var isWritten = true

    mutating func take(_ step: DocumentPlace.Step) {
      guard isWritten else { return }
      switch step {
      case .key(let key):
        guard let member = value.members?.first(where: { $0.key.utf8.elementsEqual(key.utf8) }) else {
          isWritten = false
          return
        }
        (value, position) = (member.value, member.value.position)
        path += path.isEmpty ? key : "." + key
      case .index(let index):
        guard let items = value.array, items.indices.contains(index) else {
          isWritten = false
          return
        }
        (value, position) = (items[index], items[index].position)
        path += "[\(index)]"
      }
    }
  }
}
