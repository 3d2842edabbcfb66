/** What a room looks like and is about. */
import type { Room } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { descriptionOf, icon, nameOf, type View } from "./parts.ts";

/** The cover as a small picture beside the room's name, which says what it is of. */
export function roomArt(view: View, room: Room, index: number): VNode {
  const cover = room.images?.[0];
  // Steps of the golden angle: neighbours never look alike, however many rooms there are.
  const hue = Math.round(165 + index * 137.5) % 360;
  return h(
    "span",
    { class: "room-art", "aria-hidden": "true", "--hue": hue },
    icon("key"),
    // What is drawn behind it stays when the picture does not load.
    cover && picture(view.imageUrl(cover), ""),
  );
}

/** What a room is about, folded until somebody asks. */
export function about(view: View, room: Room): Child {
  const description = descriptionOf(view, room);
  if (!description && !room.images?.length) return null;
  return h(
    "details",
    { class: "about", key: `about-${room.id}` },
    h(
      "summary",
      {},
      h("span", { class: "about-all" }, view.strings.aboutRoom),
      // Where there is room for the description beside the cards, only the pictures are folded.
      h("span", { class: "about-pictures" }, view.strings.picturesShort),
    ),
    gallery(view, room),
    description && h("p", { class: "room-text" }, description),
  );
}

/**
 * The pictures in a row that scrolls: by touch, by its buttons, and by the arrow keys once it has the
 * focus. They are loaded when they come into sight.
 */
function gallery(view: View, room: Room): Child {
  const { strings } = view;
  const images = room.images ?? [];
  if (images.length === 0) return null;
  const several = images.length > 1;
  return h(
    "div",
    { class: "gallery", key: "gallery" },
    h(
      "div",
      {
        class: "pictures",
        role: "group",
        "aria-label": strings.pictures(nameOf(view, room)),
        tabindex: several ? 0 : undefined,
      },
      images.map((image, index) =>
        picture(
          view.imageUrl(image),
          view.text(image.alt) || strings.picture(nameOf(view, room), index + 1, images.length),
        )
      ),
    ),
    several && h(
      "div",
      { class: "turn" },
      turn("left", strings.previousPicture, -1),
      turn("right", strings.nextPicture, 1),
    ),
  );
}

function turn(name: "left" | "right", label: string, by: 1 | -1): VNode {
  return h(
    "button",
    {
      type: "button",
      class: "round",
      key: name,
      "aria-label": label,
      onclick: ({ currentTarget }: Event) => {
        const row = (currentTarget as Element).closest(".gallery")?.firstElementChild;
        row?.scrollBy({ left: by * row.clientWidth });
      },
    },
    icon(name),
  );
}

function picture(src: string, alt: string): VNode {
  return h("img", {
    key: src,
    src,
    alt,
    loading: "lazy",
    onerror: (event: Event) => (event.target as HTMLElement).hidden = true,
  });
}
