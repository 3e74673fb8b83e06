// The build is written into the Python package with stable names, which the server revalidates by their hash.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { defineConfig, type Plugin } from "vite";

const ROOT = import.meta.dirname;
// Sources of the build; test/browser/test_page.py computes the same hash without Node.
const SOURCES = ["index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

function filesUnder(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}

/** SHA-256 over the sorted files: path, NUL, content, NUL. */
function hashOf(root: string, files: string[]): string {
  const hash = createHash("sha256");
  const names = files.map((file) => [relative(root, file).split(sep).join("/"), file]).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, file] of names) hash.update(name).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

// Bundled packages and their license files.
const APACHE = "../../LICENSE"; // of this project: the Apache License 2.0, which is theirs too
const BUNDLED = {
  "three.js, with meshoptimizer by Arseny Kapoulkine (decoder, MIT)": "three/LICENSE",
  "Draco by the Draco authors, Google (decoder)": APACHE,
  "Basis Universal by Binomial LLC (transcoder)": APACHE,
  "@pixiv/three-vrm": "@pixiv/three-vrm/LICENSE",
  "Inter (font)": "@fontsource-variable/inter/LICENSE",
};

function licenses(): string {
  const text = ([name, file]: [string, string]): string => {
    const license = readFileSync(join(ROOT, "node_modules", file), "utf8").trim();
    return `${name}\n${"=".repeat(name.length)}\n\n${license}\n`;
  };
  return Object.entries(BUNDLED).map(text).join("\n\n");
}

/** Writes the licenses of the bundled packages, and build.json with the hashes of sources and build. */
function buildStamp(): Plugin {
  let output = "";
  return {
    name: "build-stamp",
    apply: "build",
    configResolved(config) {
      output = config.build.outDir.startsWith("/") ? config.build.outDir : join(ROOT, config.build.outDir);
    },
    closeBundle() {
      writeFileSync(join(output, "licenses.txt"), licenses());
      const sources = hashOf(ROOT, SOURCES.flatMap((name) => filesUnder(join(ROOT, name))));
      const built = filesUnder(output).filter((file) => !file.endsWith("build.json"));
      const stamp = { sources_sha256: sources, build_sha256: hashOf(output, built) };
      writeFileSync(join(output, "build.json"), JSON.stringify(stamp, null, 2) + "\n");
    },
  };
}

/** Removes the loaders' default URLs of decoders, of which Vite would copy all variants; avatar_decoders.ts sets its own. */
function withoutDefaultDecoders(): Plugin {
  return {
    name: "without-default-decoders",
    enforce: "pre",
    transform(code, id) {
      if (!/(DRACO|KTX2)Loader\.js$/.test(id)) return null;
      return { code: code.replace(/new URL\(\s*'\.\.\/libs[^)]*\)\.toString\(\)/g, '""'), map: null };
    },
  };
}

const NAMES = { entryFileNames: "assets/[name].js", chunkFileNames: "assets/[name].js", assetFileNames: "assets/[name][extname]" };

export default defineConfig({
  base: "./",
  plugins: [buildStamp(), withoutDefaultDecoders()],
  worker: { format: "iife", plugins: () => [withoutDefaultDecoders()], rolldownOptions: { output: NAMES } },
  server: { proxy: { "/api": "http://127.0.0.1:8765", "/ws": { target: "ws://127.0.0.1:8765", ws: true } } },
  build: {
    outDir: "../face_expr_ros/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      output: NAMES,
    },
  },
});
