/* Compiles the card with LWC and Salesforce's own base components, and photographs its states with chromium. */
import lwc from '@lwc/rollup-plugin';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const here = dirname(fileURLToPath(import.meta.url));
const components = join(here, '..', '..', 'force-app', 'main', 'lwc');
const images = join(here, '..', '..', '..', 'docs', 'images');
const design = join(here, 'node_modules', '@salesforce-ux', 'design-system', 'assets');
const { resolve } = createRequire(import.meta.url);

const SHOTS = [
    ['salesforce-card', '', '1168,600'],
    ['salesforce-card-link', '?open=unlinked', '760,460'],
    ['salesforce-card-unlink', '?open=linked', '760,460']
];
const PLATFORM = join(here, 'platform.js');
const HELD = join(here, 'held.js'); // no file: a custom permission that the user holds
const GIVEN = {
    lwc: resolve('@lwc/engine-dom'),
    'lightning/uiRecordApi': PLATFORM,
    '@salesforce/apex/DrChronoCard.ask': PLATFORM,
    '@salesforce/customPermission/DrChrono_Staff': HELD
};
/** What a bundler of the platform's puts in for these. */
const CONSTANTS = {
    'process.env.NODE_ENV': '"production"',
    'process.env.IS_BROWSER': 'true',
    'import.meta.env.SSR': 'false'
};

const folder = mkdtempSync(join(tmpdir(), 'card-'));
try {
    await compile(join(folder, 'card.js'));
    cpSync(design, join(folder, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'card.html'), page());
    for (const [name, query, size] of SHOTS) {
        photograph(`file://${folder}/card.html${query}`, join(images, `${name}.png`), size);
    }
} finally {
    rmSync(folder, { recursive: true });
}

async function compile(file) {
    const modules = ['drchronoCard', 'drchronoLinkModal'].map((name) => ({
        name: `c/${name}`,
        path: join(components, name, `${name}.js`)
    }));
    const bundle = await rollup({
        input: join(here, 'page.js'),
        onwarn: () => {}, // of the base components' own templates
        plugins: [{ resolveId: given, load: permission, transform: constants }, lwc({ rootDir: here, modules })]
    });
    await bundle.write({ file, format: 'es', inlineDynamicImports: true });
}

function given(id, from = '') {
    const base = /^lightning\/(\w+)$/.exec(id)?.[1];
    const isOurs = base && !from.includes('lightning-base-components');
    return GIVEN[id] ?? (isOurs ? resolve(`lightning-base-components/src/lightning/${base}/${base}.js`) : null);
}

function permission(id) {
    return id === HELD ? 'export default true;' : null;
}

function constants(code) {
    return { code: Object.entries(CONSTANTS).reduce((text, [was, is]) => text.replaceAll(was, is), code), map: null };
}

function page() {
    return `<!doctype html>
<html lang="en">
    <meta charset="utf-8" />
    <title>DrChrono card</title>
    <link rel="stylesheet" href="assets/styles/salesforce-lightning-design-system.css" />
    <style>
        html, body { background: #f3f3f3; }
        main { display: grid; grid-template-columns: repeat(3, 23rem); gap: 1rem; padding: 1rem; align-items: start; }
    </style>
    <main></main>
    <script type="module">${'import "./card.js";'}</script>
</html>`;
}

function photograph(address, file, size) {
    const options = [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--allow-file-access-from-files'
    ];
    const shot = [`--screenshot=${file}`, `--window-size=${size}`, '--virtual-time-budget=5000', address];
    execFileSync('chromium', [...options, ...shot], { stdio: 'ignore' });
}
