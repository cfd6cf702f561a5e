import CPosix

// What is left of a crash on a board far away: the addresses it went through (CPosix, crash.h).

/// Reports of fatal signals.
package enum CrashReport {
  /// From now on a fatal signal writes its name, the thread, the build id and a backtrace of addresses to standard error
  /// before it ends the process as it would have. Call once, on the main thread.
  package static func install() { camgate_report_crashes() }
}
