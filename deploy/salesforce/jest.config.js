const { jestConfig } = require('@salesforce/sfdx-lwc-jest/config');

module.exports = {
    ...jestConfig,
    moduleNameMapper: {
        ...jestConfig.moduleNameMapper,
        '^lightning/modal$': '<rootDir>/checks/mocks/lightning/modal'
    },
    setupFilesAfterEnv: ['<rootDir>/checks/jest-setup.js'],
    coverageReporters: ['text'],
    coverageThreshold: { global: { branches: 90, functions: 90, lines: 90, statements: 90 } }
};
