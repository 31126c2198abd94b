#include "vision/tiff_header.hpp"

#include <algorithm>

namespace longhaul::vision {
namespace {

enum Tag : std::uint32_t {
  kWidth = 256,
  kHeight = 257,
  kBitsPerSample = 258,
  kCompression = 259,
  kPhotometric = 262,
  kStripOffsets = 273,
  kSamplesPerPixel = 277,
  kStripByteCounts = 279,
  kPlanes = 284,
  kTileOffsets = 324,
  kTileByteCounts = 325,
  kExtraSamples = 338,
  kSampleFormat = 339,
};

struct Entry {
  std::size_t size = 0;  // of one value: 2 or 4, 0 for types that matter nothing here
  std::size_t count = 0;
  std::size_t at = 0;  // of the first value
};

class Directory {
 public:
  explicit Directory(const ByteReader& reader) : reader_(reader) {}

  std::optional<Entry> entry(std::size_t at) const {
    const auto type = reader_.u16(at + 2);
    const auto count = reader_.u32(at + 4);
    if (!type || !count) {
      return std::nullopt;
    }
    constexpr std::uint32_t kShort = 3;
    constexpr std::uint32_t kLong = 4;
    Entry entry;
    entry.size = *type == kShort ? 2 : *type == kLong ? 4 : 0;
    entry.count = *count;
    entry.at = at + 8;
    if (entry.size * entry.count > 4) {
      const auto place = reader_.u32(at + 8);
      if (!place) {
        return std::nullopt;
      }
      entry.at = *place;
    }
    return entry;
  }

  std::optional<std::uint32_t> value(const Entry& entry, std::size_t index) const {
    if (index >= entry.count || entry.size == 0) {
      return std::nullopt;
    }
    const std::size_t at = entry.at + index * entry.size;
    return entry.size == 2 ? reader_.u16(at) : reader_.u32(at);
  }

 private:
  const ByteReader& reader_;
};

}  // namespace

std::optional<TiffHeader> read_tiff_header(Bytes file, std::optional<Defect>& defect) {
  const ByteReader reader(file, !file.empty() && file[0] == 'M');
  const Directory directory(reader);
  const auto start = reader.u32(4);
  const auto entries = start ? reader.u16(*start) : std::nullopt;
  if (!entries) {
    return std::nullopt;
  }
  const auto lowest_byte = [&](const Entry& entry) {
    return entry.at + (file[0] == 'M' && entry.size > 0 ? entry.size - 1 : 0);
  };
  TiffHeader header;
  Entry offsets;
  Entry sizes;
  for (std::uint32_t i = 0; i < *entries; ++i) {
    const std::size_t at = std::size_t{*start} + 2 + std::size_t{i} * 12;
    const auto tag = reader.u16(at);
    const auto entry = directory.entry(at);
    if (!tag || !entry) {
      return std::nullopt;
    }
    const std::uint32_t value = directory.value(*entry, 0).value_or(0);
    switch (*tag) {
      case kWidth:
        header.width = value;
        break;
      case kHeight:
        header.height = value;
        break;
      case kBitsPerSample:
        header.bits = value;
        for (std::size_t sample = 1; sample < std::min<std::size_t>(entry->count, 8); ++sample) {
          header.equal_bits = header.equal_bits && directory.value(*entry, sample) == value;
        }
        break;
      case kPhotometric:
        header.photometric = value;
        header.photometric_at = lowest_byte(*entry);
        break;
      case kPlanes:
        header.planes = value;
        break;
      case kCompression:
        header.compression = value;
        break;
      case kSamplesPerPixel:
        header.samples = value;
        break;
      case kSampleFormat:
        header.sample_format = value;
        break;
      case kExtraSamples:
        header.extra_samples = value;
        header.extra_samples_at = lowest_byte(*entry);
        break;
      case kStripOffsets:
      case kTileOffsets:
        offsets = *entry;
        break;
      case kStripByteCounts:
      case kTileByteCounts:
        sizes = *entry;
        break;
      default:
        continue;
    }
    // The last one tells of all.
    if (!defect && entry->size > 0 && entry->count > 0 &&
        !directory.value(*entry, entry->count - 1)) {
      defect = Defect{Reason::kTruncated,
                      "TIFF: a value of its directory lies beyond the end of the file"};
    }
  }
  if (!defect && (offsets.count == 0 || offsets.count != sizes.count)) {
    defect = Defect{Reason::kDamaged, "TIFF: no list of where its pixels are"};
  }
  for (std::size_t i = 0; i < offsets.count && !defect; ++i) {
    const auto offset = directory.value(offsets, i);
    const auto size = directory.value(sizes, i);
    if (!offset || !size || std::uint64_t{*offset} + *size > file.size()) {
      defect = Defect{Reason::kTruncated, "TIFF: part " + std::to_string(i + 1) + " of " +
                                              std::to_string(offsets.count) +
                                              " lies beyond the end of the file"};
    }
  }
  return header;
}

}  // namespace longhaul::vision
