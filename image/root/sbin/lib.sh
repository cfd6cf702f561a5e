# Shared by the scripts of the image. What is said goes to the console and into the log.
# shellcheck shell=sh
export PATH=/bin:/sbin

# say TEXT: before the log runs (/run/startup is there) the console is written to here. Scripts without root's rights write
# to the log they were started with.
say() {
  line="$(date -u +%Y-%m-%dT%H:%M:%SZ) system: $*"
  if [ -w /run/startup ]; then
    echo "$line" >>/run/startup
    echo "$line" >/dev/console
  elif [ -w /run/log ]; then
    echo "$line" 1<>/run/log
  else
    echo "$line"
  fi
}

# told COMMAND...: runs it; what it complains of is said.
told() {
  output=$("$@" 2>&1 >/dev/null)
  status=$?
  [ -z "$output" ] || say "$output"
  return $status
}

# log_output: from here on what the script and its commands print is logged. The pipe is opened for reading too: nobody is
# killed for writing into it while the log starts anew.
log_output() { exec 1<>/run/log 2>&1 </dev/null; }

# setting NAME: a variable of the section `system`.
setting() { sed -n "s/^SYSTEM_$1='\(.*\)'$/\1/p" /run/settings 2>/dev/null; }

# wired: the first wired network interface.
wired() {
  for path in /sys/class/net/*; do
    if [ -e "$path/device" ] && [ ! -e "$path/wireless" ] && [ "$(cat "$path/type")" = 1 ]; then
      echo "${path##*/}"
      return
    fi
  done
  return 1
}
