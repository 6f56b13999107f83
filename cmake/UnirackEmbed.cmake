# cmake -D FOLDER=... -D OUTPUT=... -P UnirackEmbed.cmake: writes the texts of the page as C++ string
# literals. Literals are cut into pieces: compilers limit the length of one.
set(content "#include \"lib/topology/render/assets.h\"\n\nnamespace unirack::assets {\n\n")
foreach(pair kPictureStyle=picture.css kPageStyle=page.css kPage=page.html kPageScript=page.js)
  string(REPLACE "=" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 file)
  file(READ ${FOLDER}/${file} text HEX)
  string(LENGTH ${text} digits)
  math(EXPR bytes "${digits} / 2")
  string(REGEX REPLACE "(..)" "\\\\x\\1" text "${text}")
  string(REGEX REPLACE "((\\\\x..)(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?)"
    "\"\\1\"\n" text "${text}")
  string(APPEND content "const std::string_view ${name}(\n${text}, ${bytes});\n\n")
endforeach()
string(APPEND content "}  // namespace unirack::assets\n")
file(WRITE ${OUTPUT} "${content}")
