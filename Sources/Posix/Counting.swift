// "1 camera", "2 cameras": counts as people say them.

/// The count with its noun, in the plural where there is not exactly one.
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
