import CPosix

// What is left of a crash on a board far away: the addresses it went through (CPosix, crash.h).

/// Reports of fatal signals.
package enum CrashReport {
  /// From now on a fatal signal writes its name, the thread, the build id and a backtrace of addresses to standard error
  /// before it ends the process as it would have. Call once, on the main thread.
  package static func install() { camgate_report_crashes() }

  /// From now on a crash leaves no core file, which would hold every secret, and other processes of this user may not
  /// read this one's memory (PR_SET_DUMPABLE, RLIMIT_CORE). Child programs start without a core file as well.
  package static func forbidDumps() { _ = camgate_forbid_dumps() }
}
