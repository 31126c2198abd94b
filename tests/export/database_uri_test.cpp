#include "export/database_uri.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace longhaul;
using export_room::require_database_uri;

TEST_CASE("an address that reads in one way only is taken") {
  const std::string uri = GENERATE(
      "postgresql://", "postgresql:///db", "postgres://host", "postgresql://me@host/db",
      "postgresql://me:pass%40word@host:5433/db?sslmode=require", "postgresql://me:@host",
      "postgresql://me@[2001:db8::1]:5432/db", "postgresql://a:1,b:2/db?target_session_attrs=any",
      "postgresql:///db?host=/tmp/a@b&port=5", "postgresql://%2Fvar%2Flib/db",
      "postgresql://?host=/tmp/a@b", "postgresql://me@host?password=p@ss",
      "postgresql://me:p#x@host/db");
  CHECK_NOTHROW(require_database_uri(uri));
}

TEST_CASE("an address whose password could be read as something else is refused without it") {
  const std::string uri = GENERATE(
      "postgresql://me:se@cret@host/db", "postgresql://me:se/cret@host/db",
      "postgresql://me:se?cret@host/db", "postgresql://me:se:cret@host/db",
      "postgresql://me:12/se@host/db", "postgresql://me:se%cret@host/db", "postgresql://me:cret",
      "postgresql://[::1/db", "postgresql://host?user=me&password=se@cret",
      "postgresql://?password=se@cret", "mysql://me:secret@host/db", "host=h password=secret");
  try {
    require_database_uri(uri);
    FAIL(uri);
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kUsage);
    CHECK_THAT(std::string(error.what()) + error.remedy(), !Catch::Contains("cret"));
  }
}
