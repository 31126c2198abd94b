// Whether this build runs under a sanitizer, where a campaign is some sixty times slower and takes
// a part of its steps.
#pragma once

namespace longhaul::fakes {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Of a campaign over all operations of a run, each or every fifth.
constexpr unsigned kEach = kSanitized ? 5 : 1;

}  // namespace longhaul::fakes
