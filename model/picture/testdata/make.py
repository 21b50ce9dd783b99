"""Pictures of many kinds, and what Pillow and transformers make of them.

    python make.py        # writes beside itself; needs pillow, numpy, torch, transformers

NAME.rgb is what load_image gives, [height][width][3] bytes; goldens.json lists the
pictures' sizes and, for each preprocessor configuration, which pictures were put
through it, to NAME.CONFIG.f32: pixel_values, [3][height][width] float32.
"""

import json
import pathlib

import numpy as np
from PIL import Image, ImageDraw
from transformers.image_utils import load_image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def photo(w, h):
    """Smooth light, a few edges, some grain."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    img = np.stack([128 + 100 * np.sin(x / 9 + c) * np.cos(y / (7 + 3 * c)) for c in range(3)], -1)
    img += rng.normal(0, 6, img.shape)
    im = Image.fromarray(np.clip(img, 0, 255).astype(np.uint8))
    d = ImageDraw.Draw(im)
    d.ellipse([w * 0.2, h * 0.3, w * 0.6, h * 0.8], fill=(220, 30, 40))
    d.line([0, h - 1, w - 1, 0], fill=(20, 60, 230), width=2)
    return im


def drawing(w, h):
    im = Image.new("RGBA", (w, h), (0, 0, 0, 0))
    d = ImageDraw.Draw(im)
    d.rectangle([2, 2, w // 2, h // 2], fill=(255, 200, 0, 255))
    d.ellipse([w // 4, h // 4, w - 3, h - 3], fill=(0, 120, 255, 128))
    return im


def save(name, im, **kw):
    im.save(HERE / name, **kw)
    names.append(name)


names = []
p = photo(61, 43)
save("photo-420.jpg", p, quality=85, subsampling=2)
save("photo-422.jpg", p, quality=90, subsampling=1)
save("photo-444.jpg", p, quality=90, subsampling=0)
save("photo-progressive.jpg", photo(40, 57), quality=80, progressive=True)
save("photo-grey.jpg", p.convert("L"), quality=85)
save("photo-cmyk.jpg", p.convert("CMYK"), quality=90)
save("narrow-420.jpg", photo(3, 30), quality=85)
save("tiny-420.jpg", photo(1, 1), quality=85)
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    save(f"turned-{o}.jpg", photo(25, 14), quality=95, exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("turned.png", photo(25, 14), exif=exif)
save("turned.webp", photo(25, 14), exif=exif, quality=90)
save("rgb.png", photo(33, 29))
save("rgba.png", drawing(31, 37))
save("grey.png", p.convert("L"))
save("grey-alpha.png", drawing(31, 37).convert("LA"))
save("palette.png", p.quantize(17))
save("palette-transparent.png", p.quantize(9), transparency=3)
save("bits.png", p.convert("1"))
save("grey16.png", Image.fromarray((rng.random((21, 18)) * 65535).astype(np.uint16)))
save("photo.webp", photo(47, 38), quality=80)
save("photo-odd.webp", photo(33, 21), quality=60)
save("lossless.webp", photo(29, 23), lossless=True)
save("alpha.webp", drawing(31, 37), quality=80)
frames = [photo(30, 22).quantize(64), photo(30, 22).quantize(64)]
save("animated.gif", frames[0], save_all=True, append_images=frames[1:], duration=50)
save("still.gif", photo(27, 35).quantize(32))
save("transparent.gif", p.quantize(9), transparency=3)
save("photo-restart.jpg", p, quality=85, restart_marker_blocks=3)
save("photo-rgb.jpg", p, quality=95, keep_rgb=True)
save("photo-exact.jpg", photo(37, 50), quality=100, subsampling=0, optimize=True)
save("progressive-422.jpg", photo(35, 33), quality=60, subsampling=1, progressive=True)
save("progressive-grey.jpg", photo(19, 26).convert("L"), quality=75, progressive=True)
frames = [photo(30, 22), photo(30, 22)]
save("animated.webp", frames[0], save_all=True, append_images=frames[1:], duration=50, quality=80)
frames = [drawing(31, 37), drawing(31, 37).rotate(90)]
save("animated-alpha.webp", frames[0], save_all=True, append_images=frames[1:], duration=50, quality=80)
save("animated-lossless.webp", frames[0], save_all=True, append_images=frames[1:], duration=50, lossless=True)
save("grey16-transparent.png", Image.fromarray((rng.random((11, 18)) * 700).astype(np.uint16)), transparency=300)


def resampled(name, source, size, said, other):
    """A file that says other factors of sampling, of as many blocks: another picture, and a sound one."""
    save(name, photo(*size), quality=85, subsampling=source)
    data = (HERE / name).read_bytes()
    assert data.count(said) == 1
    (HERE / name).write_bytes(data.replace(said, other))


resampled("sampled-440.jpg", 1, (48, 48), b"\x01\x21\x00", b"\x01\x12\x00")
resampled("sampled-411.jpg", 2, (64, 64), b"\x01\x22\x00", b"\x01\x41\x00")

pictures = {}
for name in names:
    im = load_image(str(HERE / name))
    (HERE / f"{name}.rgb").write_bytes(np.array(im).tobytes())
    pictures[name] = [im.width, im.height]

def config(cls, **kw):
    return {"image_processor_type": cls.__name__[:-3], **kw}, cls(**kw)


configs = {
    "vit": config(ViTImageProcessorPil, size={"height": 24, "width": 20}),
    "vit-grow": config(ViTImageProcessorPil, size={"height": 70, "width": 90}, resample=3, do_normalize=False),
    "vit-lanczos": config(ViTImageProcessorPil, size={"height": 17, "width": 90}, resample=1, image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.25, 1.5]),
    "vit-nearest": config(ViTImageProcessorPil, size={"height": 19, "width": 50}, resample=0, do_rescale=False, do_normalize=False),
    "vit-box": config(ViTImageProcessorPil, size={"height": 10, "width": 70}, resample=4),
    "vit-hamming": config(ViTImageProcessorPil, size={"height": 11, "width": 13}, resample=5, rescale_factor=0.01),
    "deit": config(DeiTImageProcessorPil, size={"height": 30, "width": 30}, crop_size={"height": 20, "width": 25}),
    "deit-crop-larger": config(DeiTImageProcessorPil, size={"height": 12, "width": 15}, crop_size={"height": 21, "width": 18}),
    "bit": config(BitImageProcessorPil, size={"shortest_edge": 26}, crop_size={"height": 22, "width": 22}),
    "clip": config(CLIPImageProcessorPil, size={"shortest_edge": 22}, crop_size={"height": 22, "width": 22}),
    "clip-asis": config(CLIPImageProcessorPil, do_resize=False, do_center_crop=False),
    "yolos": config(YolosImageProcessorPil, size={"shortest_edge": 33, "longest_edge": 40}, do_pad=False),
    "yolos-same": config(YolosImageProcessorPil, size={"shortest_edge": 43, "longest_edge": 100}, do_pad=False),
}
through = ["photo-420.jpg", "photo-progressive.jpg", "rgba.png", "grey.png"]
cases = []
for key, (conf, proc) in configs.items():
    for name in through:
        out = proc(images=[load_image(str(HERE / name))], return_tensors="np")["pixel_values"][0].astype(np.float32)
        file = f"{name}.{key}.f32"
        (HERE / file).write_bytes(out.tobytes())
        cases.append({"config": conf, "picture": name, "file": file, "shape": list(out.shape)})
(HERE / "goldens.json").write_text(json.dumps({"pictures": pictures, "cases": cases}, indent=1) + "\n")
