// Bundles the experiences whose frameworks need it into `out`; the others run as they are.
import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { compile } from "svelte/compiler";

const here = new URL(".", import.meta.url).pathname;

const svelte = {
  name: "svelte",
  setup(build) {
    build.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { js, warnings } = compile(await readFile(path, "utf8"), { filename: path, css: "injected" });
      return { contents: js.code, warnings: warnings.map(({ message }) => ({ text: message })) };
    });
  },
};

await build({
  entryPoints: { react: `${here}react/mailboxes.jsx`, svelte: `${here}svelte/main.js` },
  outdir: `${here}out`,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  target: "es2022",
  minify: true,
  define: { "process.env.NODE_ENV": '"production"' },
  conditions: ["browser"],
  plugins: [svelte],
});
