// vision_dump SPEC FILE...: decodes and fits images as an image run does, for tests that compare
// pixels with another program's. SPEC is size:resize:interpolation:crop|squash:ignore|apply, then
// optionally ":likeness" or ":fast". Standard output: a line for each file, "ok", "ok LIKENESS" or
// "REASON MESSAGE"; after an ok line 3 x size x size bytes.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "vision/image_preprocessor.hpp"

int main(int argc, char** argv) {
  std::vector<std::string> fields;
  std::istringstream spec(argc > 1 ? argv[1] : "");
  for (std::string field; std::getline(spec, field, ':');) {
    fields.push_back(field);
  }
  if (fields.size() < 5) {
    std::cerr << "usage: vision_dump SIZE:RESIZE:INTERPOLATION:crop|squash:ignore|apply FILE...\n";
    return 2;
  }
  longhaul::prepare::ImageSettings settings;
  settings.image.size = static_cast<std::uint32_t>(std::stoul(fields[0]));
  settings.image.resize = static_cast<std::uint32_t>(std::stoul(fields[1]));
  settings.image.interpolation = fields[2];
  settings.image.crop = fields[3] == "crop";
  settings.image.exif = fields[4];
  settings.likeness = fields.size() > 5 && fields[5] == "likeness";
  settings.fast_decode = fields.size() > 5 && fields[5] == "fast";
  const longhaul::vision::ImagePreprocessor preprocessor(settings);
  for (int i = 2; i < argc; ++i) {
    longhaul::Record record;
    record.payload = argv[i];
    longhaul::prepare::Prepared prepared = preprocessor.measure(record);
    const longhaul::prepare::Row one{&prepared};
    const longhaul::prepare::Assembled assembled = preprocessor.assemble({&one, 1}, 1, 0);
    if (!assembled.rejected.empty()) {
      const longhaul::Defect& defect = assembled.rejected.front().defect;
      std::cout << to_string(defect.reason) << ' ' << defect.message << '\n';
      continue;
    }
    std::cout << "ok";
    if (prepared.likeness) {
      std::cout << ' ' << longhaul::to_hex(*prepared.likeness);
    }
    std::cout << '\n';
    std::cout.write(reinterpret_cast<const char*>(assembled.batch.pixels.data()),
                    static_cast<std::streamsize>(assembled.batch.pixels.size()));
  }
  return 0;
}
