/* Compiles the card with LWC and Salesforce's own base components, and photographs its states with chromium. */
import lwc from '@lwc/rollup-plugin';
import { createRequire } from 'node:module';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { rollup } from 'rollup';

const here = dirname(fileURLToPath(import.meta.url));
const components = join(here, '..', '..', 'force-app', 'main', 'lwc');
const images = join(here, '..', '..', '..', 'docs', 'images');
const design = join(here, 'node_modules', '@salesforce-ux', 'design-system', 'assets');
const { resolve } = createRequire(import.meta.url);

/** File, which record's modal is open, what the page shows once it is complete, how large it is. */
const SHOTS = [
    ['salesforce-card', '', '[role=alert]:has-text("may not")', { width: 1168, height: 580 }],
    ['salesforce-card-documents', '?open=files', 'a:has-text("MRI, all series")', { width: 400, height: 660 }],
    ['salesforce-card-link', '?open=unlinked', 'lightning-modal-footer', { width: 760, height: 540 }],
    ['salesforce-card-unlink', '?open=linked', 'lightning-modal-footer', { width: 760, height: 460 }]
];
const PLATFORM = join(here, 'platform.js');
const HELD = join(here, 'held.js'); // no file: a custom permission that the user holds
const LISTED = join(here, 'listed.js'); // no file: the Apex method that lists files
const WRITTEN = { [HELD]: 'export default true;', [LISTED]: `export { documents as default } from '${PLATFORM}';` };
const GIVEN = {
    lwc: resolve('@lwc/engine-dom'),
    'lightning/uiRecordApi': PLATFORM,
    '@salesforce/apex/DrChronoCard.ask': PLATFORM,
    '@salesforce/apex/DrChronoCardDocuments.documents': LISTED,
    '@salesforce/apex/DrChronoCardDocuments.send': PLATFORM,
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
    await photograph(`file://${folder}/card.html`);
} finally {
    rmSync(folder, { recursive: true });
}

async function compile(file) {
    const modules = readdirSync(components).map((name) => ({
        name: `c/${name}`,
        path: join(components, name, `${name}.js`)
    }));
    const bundle = await rollup({
        input: join(here, 'page.js'),
        onwarn: () => {}, // of the base components' own templates
        plugins: [{ resolveId: given, load: written, transform: constants }, lwc({ rootDir: here, modules })]
    });
    await bundle.write({ file, format: 'es', inlineDynamicImports: true });
}

function given(id, from = '') {
    const base = /^lightning\/(\w+)$/.exec(id)?.[1];
    const isOurs = base && !from.includes('lightning-base-components');
    return GIVEN[id] ?? (isOurs ? resolve(`lightning-base-components/src/lightning/${base}/${base}.js`) : null);
}

function written(id) {
    return WRITTEN[id] ?? null;
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

async function photograph(address) {
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-headless-shell'].find(existsSync);
    const options = { executablePath, args: ['--no-sandbox', '--allow-file-access-from-files'] };
    const browser = await chromium.launch(options);
    for (const [name, query, complete, viewport] of SHOTS) {
        const tab = await browser.newPage({ viewport });
        tab.on('pageerror', (error) => {
            throw error;
        });
        await tab.goto(address + query);
        await tab.locator(complete).waitFor();
        await tab.locator('lightning-icon:not(:has(svg))').waitFor({ state: 'detached' });
        await tab.screenshot({ path: join(images, `${name}.png`), animations: 'disabled' });
    }
    await browser.close();
}
