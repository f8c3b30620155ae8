"""Draws the frequency response of filters: python tools/draw_responses.py FILE.png [FILTER ...]"""

import argparse

from nonlocal_zoo.experiments.responses import draw_responses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="the PNG to write")
    parser.add_argument("filters", nargs="*", help="names (default: all that have a response)")
    options = parser.parse_args()
    try:
        print(draw_responses(options.file, options.filters or None))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
