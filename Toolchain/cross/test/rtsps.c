/* Opens an RTSP URL with verification and an authority: rtsps URL AUTHORITY. Exit 0 when it was opened, 1 when not, 2 when
 * FFmpeg did not know one of the options, which would mean that nothing was verified. */
#include <libavformat/avformat.h>
#include <stdio.h>

int main(int count, char **arguments) {
  AVFormatContext *context = NULL;
  AVDictionary *options = NULL;
  char text[AV_ERROR_MAX_STRING_SIZE];
  if (count != 3) return 64;
  av_dict_set(&options, "rtsp_transport", "tcp", 0);
  av_dict_set(&options, "tls_verify", "1", 0);
  av_dict_set(&options, "ca_file", arguments[2], 0);
  int code = avformat_open_input(&context, arguments[1], NULL, &options);
  if (code == 0 && av_dict_count(options) > 0) return 2;
  av_strerror(code, text, sizeof text);
  printf("%s\n", code < 0 ? text : "opened");
  avformat_close_input(&context);
  return code < 0;
}
