import LaunchModel
import Testing

@Suite struct EnvironmentTests {
  @Test func aNameWithoutAValueSetsNothingAndTakesAway() throws {
    let made = try [EnvironmentVariable](assignments: ["NOVALUE", "A=1", "B=b=c", "A=", "C=x", "C", "D=ä"])
    #expect(made == [EnvironmentVariable("B", "b=c"), EnvironmentVariable("A", ""), EnvironmentVariable("D", "ä")])
  }

  @Test(arguments: ["=x=y", "", "=", "A=\0", "\0"]) func whatCanBeNoVariableIsNamed(assignment: String) {
    let error = #expect(throws: InvalidAssignment.self) {
      try [EnvironmentVariable](assignments: ["GOOD=1", assignment])
    }
    #expect(error?.assignment == assignment)
  }
}
