#pragma once
#include <libv4l-plugin.h>
#include <libv4lconvert.h>
#include <linux/videodev2.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* ioctl(2) is variadic. */
static inline int camgate_ioctl(int descriptor, unsigned long request, void *argument) {
  return ioctl(descriptor, request, argument);
}

/* Function-like macros do not cross into Swift. */
static const unsigned long camgate_vidioc_querycap = VIDIOC_QUERYCAP;
static const unsigned long camgate_vidioc_enum_fmt = VIDIOC_ENUM_FMT;
static const unsigned long camgate_vidioc_enum_framesizes = VIDIOC_ENUM_FRAMESIZES;
static const unsigned long camgate_vidioc_enum_frameintervals = VIDIOC_ENUM_FRAMEINTERVALS;
static const unsigned long camgate_vidioc_s_fmt = VIDIOC_S_FMT;
static const unsigned long camgate_vidioc_g_parm = VIDIOC_G_PARM;
static const unsigned long camgate_vidioc_s_parm = VIDIOC_S_PARM;
static const unsigned long camgate_vidioc_reqbufs = VIDIOC_REQBUFS;
static const unsigned long camgate_vidioc_querybuf = VIDIOC_QUERYBUF;
static const unsigned long camgate_vidioc_qbuf = VIDIOC_QBUF;
static const unsigned long camgate_vidioc_dqbuf = VIDIOC_DQBUF;
static const unsigned long camgate_vidioc_streamon = VIDIOC_STREAMON;
static const unsigned long camgate_vidioc_streamoff = VIDIOC_STREAMOFF;
static const unsigned long camgate_vidioc_queryctrl = VIDIOC_QUERYCTRL;
static const unsigned long camgate_vidioc_querymenu = VIDIOC_QUERYMENU;
static const unsigned long camgate_vidioc_g_ctrl = VIDIOC_G_CTRL;
static const unsigned long camgate_vidioc_s_ctrl = VIDIOC_S_CTRL;

static const uint32_t camgate_capture_type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
static const uint32_t camgate_multiplanar_type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
static const uint32_t camgate_memory_mmap = V4L2_MEMORY_MMAP;
static const uint32_t camgate_field_none = V4L2_FIELD_NONE;
static const uint32_t camgate_size_discrete = V4L2_FRMSIZE_TYPE_DISCRETE;
static const uint32_t camgate_interval_discrete = V4L2_FRMIVAL_TYPE_DISCRETE;

/* struct v4l2_querymenu is packed, which Swift does not lay out; without its 64-bit value it needs no packing. */
struct camgate_querymenu {
  uint32_t id;
  uint32_t index;
  uint8_t name[32];
  uint32_t reserved;
};
_Static_assert(sizeof(struct camgate_querymenu) == sizeof(struct v4l2_querymenu), "the kernel's layout");

/* What is asked for and agreed on about pictures, whichever of the two interfaces a driver has: the structures of the
 * multi-planar one are packed, which Swift does not lay out. `plane_count` is the number of pieces of memory. */
struct camgate_picture {
  uint32_t fourcc, width, height, field, colorspace, encoding, quantization;
  uint32_t plane_count;
  uint32_t bytes_per_row[4];
};

static inline struct v4l2_format camgate_format(uint32_t type, struct camgate_picture picture) {
  struct v4l2_format format = {.type = type};
  if (type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
    struct v4l2_pix_format_mplane *target = &format.fmt.pix_mp;
    target->pixelformat = picture.fourcc;
    target->width = picture.width;
    target->height = picture.height;
    target->field = picture.field;
    target->colorspace = picture.colorspace;
    target->ycbcr_enc = picture.encoding;
    target->quantization = picture.quantization;
    target->num_planes = picture.plane_count;
    for (int plane = 0; plane < 4; plane++) target->plane_fmt[plane].bytesperline = picture.bytes_per_row[plane];
  } else {
    struct v4l2_pix_format *target = &format.fmt.pix;
    target->pixelformat = picture.fourcc;
    target->width = picture.width;
    target->height = picture.height;
    target->field = picture.field;
    target->colorspace = picture.colorspace;
    target->ycbcr_enc = picture.encoding;
    target->quantization = picture.quantization;
    target->bytesperline = picture.bytes_per_row[0];
  }
  return format;
}

static inline struct camgate_picture camgate_picture_of(const struct v4l2_format *format) {
  if (format->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
    const struct v4l2_pix_format_mplane *source = &format->fmt.pix_mp;
    struct camgate_picture picture = {
        source->pixelformat, source->width, source->height, source->field, source->colorspace,
        source->ycbcr_enc, source->quantization, source->num_planes, {0}};
    for (int plane = 0; plane < 4; plane++) picture.bytes_per_row[plane] = source->plane_fmt[plane].bytesperline;
    return picture;
  }
  const struct v4l2_pix_format *source = &format->fmt.pix;
  return (struct camgate_picture){
      source->pixelformat, source->width, source->height, source->field, source->colorspace,
      source->ycbcr_enc, source->quantization, 1, {source->bytesperline}};
}

/* Whether the samples of such a picture use all of 0...255 (the kernel's own rule for "default"). */
static inline int camgate_is_full_range(const struct camgate_picture *picture, int is_rgb) {
  uint32_t quantization = picture->quantization;
  if (quantization == V4L2_QUANTIZATION_DEFAULT)
    quantization = V4L2_MAP_QUANTIZATION_DEFAULT(is_rgb, picture->colorspace, picture->encoding);
  return quantization == V4L2_QUANTIZATION_FULL_RANGE;
}
