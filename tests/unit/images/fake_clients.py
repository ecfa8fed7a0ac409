"""Docker clients for tests: real programs on a PATH of their own, small enough to read."""

import json
from pathlib import Path

BUILDX = '*" buildx build --help "*) echo "--secret --load --provenance --sbom" ;;'
BUILDX_OLD = '*" buildx build --help "*) echo "--secret --load" ;;'
NO_BUILDX = '*" buildx build --help "*) echo "Usage: docker [OPTIONS] COMMAND; secret" ;;'
INSIDE = '*" build --help "*) [ "$DOCKER_BUILDKIT" = 1 ] && echo "--secret" ;;'
CLASSIC = '*" build --help "*) [ "$DOCKER_BUILDKIT" = 0 ] && echo "--build-arg --tag" ;;'
NOT_INSIDE = '*" build --help "*) echo "the buildx component is missing" >&2; exit 1 ;;'

SCRIPT = r"""#!/bin/bash
# Images are files: STATE/<tag>. A build makes them, with the labels it is given, of SIZE bytes and
# for the platform it is given.
printf '%s\n' "$0 [$DOCKER_BUILDKIT] $*" >>LOG
tell() { printf '%s\n' "secret $1 $(<"$1")" >>LOG; }
build() {
  local tags=() labels= architecture=amd64
  while [ $# -gt 0 ]; do
    case "$1" in
      --tag) tags+=("$2") ;;
      --label) labels="$labels${labels:+,}\"${2%%=*}\":\"${2#*=}\"" ;;
      --platform) architecture=${2#linux/} ;;
      --secret) [ "${2%%,*}" != id=pip_index ] || tell "${2#*src=}" ;;
    esac
    shift
  done
  for tag in "${tags[@]}"; do
    printf '[{"Id":"sha256:%s","Size":%s,"Architecture":"%s","Config":{"Labels":{%s}},
      "RootFS":{"Layers":["sha256:a","sha256:b"]}}]' $RANDOM$RANDOM "${FAKE_SIZE:-1000}" \
      "$architecture" "$labels" \
      >"STATE/${tag//\//_}"
  done
  [ "${#tags[@]}" -lt 2 ] || printf '%s' "$(<"STATE/${tags[0]//\//_}")" >"STATE/${tags[1]//\//_}"
}
case " $* " in
  *" image inspect "*)
    found= missing=
    for name in "${@:3}"; do
      if [ -f "STATE/${name//\//_}" ]; then
        document=$(<"STATE/${name//\//_}")
        document=${document#[}
        found="$found${found:+,}${document%]}"
      else
        missing=$name
      fi
    done
    echo "[$found]"
    [ -n "$missing" ] || exit 0
    echo "Error: No such image: $missing" >&2
    exit 1 ;;
  *" image tag "*) /bin/cp "STATE/${3//\//_}" "STATE/${4//\//_}" ;;
  *" image rm "*) /bin/rm "STATE/${3//\//_}" ;;
  *" image history "*)
    echo '{"CreatedBy":"RUN /bin/sh -c make # buildkit","Size":"600","Comment":""}'
    echo '{"CreatedBy":"COPY x /x # buildkit","Size":"400","Comment":"buildkit.dockerfile.v0"}' ;;
  *" version --format "*) echo amd64 ;;
  *" create sha256:"*) echo container ;;
  *" export container "*) /bin/cat "${FAKE_FILES:-/dev/null}" ;;
  *" rm --force "*) ;;
  *" context show "*) echo my-context ;;
  CAPABILITIES
  *" build --help "*) ;;
  *" build "*) BUILD ;;
esac
"""


class Machine:
    """A machine with docker clients that keep their images as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        self.state = folder / "images"
        self.state.mkdir()
        self.log.touch()
        self.paths: list[Path] = []

    def client(self, *capabilities: str, build: str = 'build "$@"', script: str = SCRIPT) -> str:
        folder = self.folder / f"bin{len(self.paths)}"
        folder.mkdir()
        program = folder / "docker"
        for word, text in {
            "CAPABILITIES": "\n  ".join(capabilities),
            "BUILD": build,
            "STATE": str(self.state),
            "LOG": str(self.log),
        }.items():
            # a name inside another word, such as DOCKER_BUILDKIT, is not meant
            script = script.replace(f" {word}", f" {text}").replace(f"{word}/", f"{text}/")
            script = script.replace(f">>{word}", f">>{text}")
        program.write_text(script)
        program.chmod(0o755)
        self.paths.append(folder)
        return str(program)

    def image(self, tag: str, identity: str) -> None:
        document = {"Id": identity, "Size": 12, "Architecture": "amd64", "Config": {}}
        (self.state / tag.replace("/", "_")).write_text(json.dumps([document]))

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": ":".join(map(str, self.paths))}

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def builds(self) -> list[str]:
        return [call for call in self.calls if " --file " in call]
