import StrictJSON

/// The JSON Schema (draft 2020-12) of the task document, made from the fields that decoding uses.
///
/// It says what can be said of a field alone. What fields must agree on (orders, names that must be unique, references)
/// is `TaskDocument`'s to check.
package enum TaskSchema {
  package static var json: JSON {
    let shapes = [JobFields.record, InstanceFields.record, BareTaskFields.record]
    var definitions = Definitions()
    for shape in shapes { definitions.add(shape) }
    return JSON(object: [
      ("$schema", "https://json-schema.org/draft/2020-12/schema"),
      ("title", "Task document of aurora-executor"),
      ("anyOf", JSON(shapes.map { Definitions.reference(to: $0.name) })),
      ("$defs", JSON(object: definitions.all.map { ($0.name, $0.json) })),
    ])
  }

  /// Every record that was met, each once.
  private struct Definitions {
    private(set) var all: [(name: String, json: JSON)] = []

    static func reference(to name: String) -> JSON { JSON(object: [("$ref", JSON("#/$defs/\(name)"))]) }

    mutating func add(_ record: RecordType) {
      guard !all.contains(where: { $0.name == record.name }) else { return }
      // Its place is taken first, so that the outer records come first.
      let place = all.count
      all.append((record.name, JSON(.null)))
      let properties = record.fields.map { ($0.name, Optional(describe($0))) }
      let required = record.fields.filter(\.isRequired).map { JSON($0.name) }
      all[place].json = JSON(object: [
        ("type", "object"), ("description", JSON(record.note)), ("properties", JSON(object: properties)),
        ("required", required.isEmpty ? nil : JSON(required)), ("additionalProperties", false),
      ])
    }

    private mutating func describe(_ field: Field) -> JSON {
      let type = schema(of: field.type)
      var members = type.members?.map { ($0.key, Optional($0.value)) } ?? []
      members.append(("description", JSON(field.note)))
      members.append(("default", field.standard))
      return JSON(object: members)
    }

    private mutating func schema(of type: FieldType) -> JSON {
      switch type {
      case .text(let rule):
        // JSON Schema counts characters, of which there are never more than bytes.
        let plain = JSON(object: [
          ("type", "string"), ("maxLength", JSON(rule.limit)), ("pattern", JSON(rule.pattern)),
        ])
        return anyOf([plain, template])
      case .flag: return JSON(object: [("enum", [true, false, 0, 1])])
      case .integer(let range):
        return JSON(object: [
          ("type", "integer"), ("minimum", JSON(range.lowerBound)), ("maximum", JSON(range.upperBound)),
        ])
      case .number(let range, let above):
        return JSON(object: [
          ("type", "number"), (above ? "exclusiveMinimum" : "minimum", JSON(range.lowerBound)),
          ("maximum", JSON(range.upperBound)),
        ])
      case .choice(let words):
        return anyOf([JSON(object: [("enum", JSON(words.map { JSON($0) }))]), template])
      case .signal:
        let numbers = JSON(object: [("type", "integer"), ("minimum", 1), ("maximum", 64)])
        return anyOf([numbers, JSON(object: [("type", "string")])])
      case .list(let element, let least):
        return JSON(object: [
          ("type", "array"), ("items", schema(of: element)), ("minItems", least > 0 ? JSON(least) : nil),
        ])
      case .map(let element):
        return JSON(object: [("type", "object"), ("additionalProperties", schema(of: element))])
      case .names(let rule, let words):
        return anyOf([
          schema(of: .list(.text(rule))),
          JSON(object: [
            ("type", "object"), ("additionalProperties", schema(of: .choice(words))),
            ("propertyNames", schema(of: .text(rule))),
          ]),
        ])
      case .record(let record):
        add(record)
        return Self.reference(to: record.name)
      case .variants(let variants): return schema(of: variants)
      case .kept: return JSON(object: [])
      }
    }

    /// With the wrapping key or without.
    private mutating func schema(of variants: Variants) -> JSON {
      var options: [JSON] = []
      for option in variants.options {
        add(option.record)
        let plain = Self.reference(to: option.record.name)
        options.append(
          JSON(object: [
            ("type", "object"), ("properties", JSON(object: [(option.key, plain)])),
            ("required", [JSON(option.key)]), ("additionalProperties", false),
          ]))
        options.append(plain)
      }
      return anyOf(options)
    }

    private var template: JSON { JSON(object: [("type", "string"), ("pattern", "\\{\\{")]) }

    private func anyOf(_ options: [JSON]) -> JSON { JSON(object: [("anyOf", JSON(options))]) }
  }
}
