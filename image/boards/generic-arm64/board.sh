# 64-bit ARM boards that boot by UEFI: their own, or U-Boot's. Sizes in MiB.
# shellcheck shell=bash disable=SC2034  # read by Toolchain/image.sh

# For firmware that boards read from the start of the card.
FIRMWARE_MIB=16
CONFIG_MIB=32
# Two kernels with all that is in the image, and room for a third while an update is written.
ESP_MIB=192
# What is flashed; grown to the card at first boot.
DATA_MIB=64
# Firmware tells the kernel which console there is.
KERNEL_OPTIONS="quiet panic=10"
