import StrictJSON
import Testing

@Suite struct JSONReaderTests {
  private func read(_ text: String, depth: Int = 64) throws -> JSON {
    try JSON(parsing: Array(text.utf8), limits: JSON.Limits(depth: depth))
  }

  @Test func valuesKeepTheirPositions() throws {
    let document = try read("{\n  \"a\": [1, \"é\", true],\n  \"b\": null\n}")
    #expect(document["a"]?.position == JSON.Position(line: 2, column: 8))
    #expect(document["a"]?.array?[2].position == JSON.Position(line: 2, column: 17))
    #expect(document.members?[1].position == JSON.Position(line: 3, column: 3))
  }

  @Test(arguments: [
    ("", "1:1: the document is empty"),
    ("{\"a\":1,\"a\":2}", "1:8: duplicate key \"a\""),
    ("{\"a\" 1}", "1:6: expected \":\" after the key \"a\", found \"1\""),
    ("[1,]", "1:4: expected a value, found \"]\""),
    ("01", "1:1: a number must not start with 0"),
    ("[1] x", "1:5: unexpected text after the end of the document"),
    ("\"\\ud800\"", "1:2: half of a surrogate pair"),
    ("\"a\nb\"", "1:3: control character 0xa in a string; write it as \\u00XX"),
    ("nul", "1:1: expected null"),
    // What a terminal acts on, and lines that look like other messages, are not repeated.
    (
      #"{"a\nerror: \u007f\u001b[2J" 1}"#,
      #"1:30: expected ":" after the key "a\u{a}error: \u{7f}\u{1b}[2J", found "1""#
    ),
    (#"{"\u0085":1,"\u0085":2}"#, #"1:13: duplicate key "\u{85}""#),
    ("[[[1]]]", "1:4: nested deeper than 2 levels"),
    ("NaN", "1:1: expected a value, found \"N\""),
  ])
  func badTextIsRefusedWithItsPlace(text: String, message: String) {
    let error = #expect(throws: JSONError.self) { try read(text, depth: 2) }
    #expect(error?.description == message)
  }

  @Test func invalidUTF8IsRefused() {
    #expect(throws: JSONError.self) { try JSON(parsing: [0x22, 0xff, 0x22]) }
  }

  @Test func keysThatOnlyLookEqualAreDifferent() throws {
    let document = try read("{\"e\u{301}\": 1, \"\u{e9}\": 2}")
    #expect(document["\u{e9}"]?.integer == 2)
  }

  @Test func numbersAreExact() throws {
    #expect(try read("9007199254740993").integer == 9_007_199_254_740_993)
    #expect(try read("1e2").integer == 100)
    #expect(try read("1.5").integer == nil)
    #expect(try read("1e999").double == nil)
    #expect(try read("99999999999999999999").integer == nil)
  }

  @Test func whatIsWrittenIsReadBackEqual() throws {
    let text = #"{"a":[1,2.5,"x\n\"\u001b\u007f"],"b":{"c":true,"d":null}}"#
    #expect(try read(text).compact == text)
    #expect(try read(try read(text).pretty).compact == text)
  }
}
