// "did you mean": the nearest known word to a misspelt one.

enum Suggestion {
  /// `; did you mean 'word'?`, or nothing when no candidate is near.
  static func text(for word: String, among candidates: some Sequence<String>) -> String {
    let limit = max(1, word.count / 3)
    let nearest = candidates.map { (word: $0, distance: distance(word.lowercased(), $0.lowercased())) }
      .filter { $0.distance <= limit }
      .min { ($0.distance, $0.word) < ($1.distance, $1.word) }
    return nearest.map { "; did you mean '\($0.word)'?" } ?? ""
  }

  /// The optimal string alignment distance: insertions, deletions, replacements, and neighbours swapped.
  static func distance(_ left: String, _ right: String) -> Int {
    let (a, b) = (Array(left), Array(right))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var cost = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
        row.append(cost)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
