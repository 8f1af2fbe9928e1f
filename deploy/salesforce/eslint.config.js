const { defineConfig } = require('eslint/config');
const jest = require('eslint-plugin-jest');
const lightning = require('@salesforce/eslint-plugin-lightning');
const lwc = require('@salesforce/eslint-config-lwc/recommended');

module.exports = defineConfig([
    { files: ['**/lwc/**/*.js'], extends: [lwc], plugins: { '@salesforce/lightning': lightning } },
    {
        files: ['**/__tests__/*.js'],
        extends: [jest.configs['flat/recommended']],
        rules: {
            '@lwc/lwc/no-unexpected-wire-adapter-usages': 'off', // a test emits what the adapter would
            'no-script-url': 'off' // a test shows that the card follows none
        }
    }
]);
